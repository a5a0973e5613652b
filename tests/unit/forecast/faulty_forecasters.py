"""Forecasters that fail, each in its own way, and `make` for the host: importable in worker processes."""

import os
import time
from dataclasses import replace

from barista.forecast.rungs import LastValue
from barista.values.service import PluginChoice


class Honest(LastValue):
    """Works, under a name that is no rung's."""

    name = "honest"


class RefusesToFit(Honest):
    def fit(self, demand, context, warm=None):
        raise ValueError("need more")


class HangsInFit(Honest):
    def fit(self, demand, context, warm=None):
        time.sleep(600)


class CrashesInFit(Honest):
    def fit(self, demand, context, warm=None):
        os._exit(1)


class RaisesLater(Honest):
    def update(self, state, new_values):
        raise RuntimeError("no more")


class HangsLater(Honest):
    def update(self, state, new_values):
        time.sleep(600)


class SaysNaN(Honest):
    def forecast(self, state, steps, levels):
        made = super().forecast(state, steps, levels)
        return replace(made, mean=(float("nan"),) * steps) if len(state.demand) > 40 else made


class Crosses(Honest):
    def forecast(self, state, steps, levels):
        made = super().forecast(state, steps, levels)
        return replace(made, quantiles=((9.0,) * steps, (1.0,) * steps, (2.0,) * steps))


class SaysNothing(Honest):
    def forecast(self, state, steps, levels):
        return None


KINDS = {
    kind.__name__: kind
    for kind in (
        Honest,
        RefusesToFit,
        HangsInFit,
        CrashesInFit,
        RaisesLater,
        HangsLater,
        SaysNaN,
        Crosses,
        SaysNothing,
    )
}


def make(choice: PluginChoice):
    return KINDS[choice.name]()
