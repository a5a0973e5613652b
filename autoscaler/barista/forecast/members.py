"""The members of an ensemble: several forecasters that are fitted, told and heard as one.

None of them is trusted. One that raises sleeps (its state is None) until it can be fitted again, one that
says what is no forecast, or what is beyond all experience, is not heard: silence is NaN. Of what went
wrong, only what keeps a member from being fitted is told.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from barista.plugins import FORECASTERS, PluginError, load_plugin
from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.series import DAY_S, Demand, FloatArray

Options = Mapping[str, object]
DEFAULT = ("seasonal-naive", "last-value", "ridge", "trees", "smoothing", "burst", "neuralprophet")
NEEDED_DAYS = {"neuralprophet": 14.0}
"""Days of history below which a member is not worth its fit."""
MEDIAN_ONLY = ("last-value",)
"""Members whose bounds say no more than how far demand moved lately: in the wake of a burst they stand as
high as it did. They are heard only where nobody else states any."""
CROSSING = 1e-9
"""By how much (requests/s) a quantile may lie below a lower one, as `Forecast.fault` has it."""
WILD = 3.0
"""Multiple of the largest value ever seen that no median reaches and no bound goes beyond."""


@dataclass(frozen=True, slots=True)
class Members:
    """The forecasters, by the names that they were asked for. States and silence go in their order."""

    forecasters: Mapping[str, Forecaster]

    @staticmethod
    def installed() -> "Members":
        """Those built in, as far as they are installed."""
        found: dict[str, Forecaster] = {}
        for name in DEFAULT:
            with suppress(PluginError):
                found[name] = load_plugin(FORECASTERS, name)
        return Members(found)

    @staticmethod
    def of(asked: Sequence[str] | Mapping[str, Options | None]) -> "Members":
        """Those `asked` for: names, or options by name. PluginError when one is not installed."""
        options = asked if isinstance(asked, Mapping) else dict.fromkeys(asked)
        return Members({name: load_plugin(FORECASTERS, name, chosen) for name, chosen in options.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(self.forecasters)

    def fitted(
        self, demand: Demand, context: ForecastContext, earlier: Sequence[Any], stand_at_its_end: bool
    ) -> tuple[tuple[Any, ...], list[str]]:
        """States fitted to `demand`, warm from the `earlier` ones, and what kept members from being fitted.

        Where a fit fails, the earlier state goes on if the earlier ones `stand_at_its_end` already.
        """
        states: list[Any] = []
        faults: list[str] = []
        days = len(demand) * demand.step_s * context.calendar.rate / DAY_S
        for (name, member), known in zip(self.forecasters.items(), earlier, strict=True):
            try:
                if days < NEEDED_DAYS.get(name, 0.0):
                    raise ValueError(f"{name}: {days:.1f} days of history: need {NEEDED_DAYS[name]:g}")
                states.append(member.fit(demand, context, known))
            except Exception as error:
                faults.append(f"{type(error).__name__}: {error}")
                states.append(known if stand_at_its_end else None)
        return tuple(states), faults

    def told(self, states: Sequence[Any], news: Demand) -> tuple[Any, ...]:
        """The states moved on by `news`."""
        moved: list[Any] = []
        for member, known in zip(self.forecasters.values(), states, strict=True):
            try:
                moved.append(None if known is None else member.update(known, news))
            except Exception:
                moved.append(None)
        return tuple(moved)

    def heard(self, states: Sequence[Any], context: ForecastContext, largest: float) -> FloatArray:
        """What the members say: mean and quantiles, shape (steps, 1 + levels, members).

        `largest` is the largest demand ever seen; `context.levels` hold 0.5.
        """
        said = np.full((context.steps, 1 + len(context.levels), len(self.forecasters)), np.nan)
        for k, (member, known) in enumerate(zip(self.forecasters.values(), states, strict=True)):
            # What a plug-in raises is its own affair; here it is silence.
            with suppress(Exception):
                made = member.forecast(known, context.steps, context.levels)
                if (made.steps, made.levels) == (context.steps, context.levels):
                    said[..., k] = np.array([made.mean, *made.quantiles]).T
        middle = 1 + context.levels.index(0.5)
        well = np.isfinite(said) & (said >= 0)
        well[:, 2:] &= said[:, 2:] >= said[:, 1:-1] - CROSSING
        well[:, middle] &= said[:, middle] <= WILD * largest
        return np.where(well.all(axis=(0, 1)), np.minimum(said, WILD * largest), np.nan)

    def trusted(self, quantiles: FloatArray, context: ForecastContext) -> FloatArray:
        """What the mixture is made of, of what the members say (steps, levels, members); NaN elsewhere."""
        apart = np.isin(self.names, MEDIAN_ONLY)
        silenced = apart & np.isfinite(quantiles[..., ~apart]).any(axis=2, keepdims=True)
        silenced[:, context.levels.index(0.5)] = False
        return np.where(silenced, np.nan, quantiles)
