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


class HangsAtThirteen(Honest):
    def update(self, state, new_values):
        if 13.0 in new_values.values:
            time.sleep(600)
        return super().update(state, new_values)


class CrashesAtThirteen(Honest):
    def update(self, state, new_values):
        if 13.0 in new_values.values:
            os._exit(1)
        return super().update(state, new_values)


class Many(Honest):
    """Forecasts many at once, unless one of them has seen 13."""

    calls = 0

    def forecast_many(self, states, steps, levels):
        Many.calls += 1
        if any(13.0 in state.demand.values for state in states):
            raise RuntimeError("not these")
        return [self.forecast(state, steps, levels) for state in states]


class Composed(Honest):
    """Made of one member, of which nothing is to be heard once 13 was seen."""

    def member_forecasts(self, state, steps, levels):
        if 13.0 in state.demand.values:
            raise RuntimeError("no more")
        return {"only": self.forecast(state, steps, levels)}


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
        HangsAtThirteen,
        CrashesAtThirteen,
        Many,
        Composed,
        SaysNaN,
        Crosses,
        SaysNothing,
    )
}


def make(choice: PluginChoice):
    return KINDS[choice.name]()
