"""The ensemble: many forecasters, mixed by how well each does on this service, now.

No method is best on every demand, and none stays best. The ensemble fits several, forecasts with all of
them, and says a mixture whose weights and bounds it learns from every outcome (`barista.forecast.mixture`).
It learns only from forecasts that were made before their outcome was known: a first fit keeps the end of
the history back and rolls through it, later fits keep what was learned live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from barista.forecast.calibration import BINS
from barista.forecast.history import after
from barista.forecast.members import Members, Options
from barista.forecast.mixture import Mixture
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import DAY_S, Calendar, Demand, FloatArray

HELD_BACK_SHARE = 0.3
MOST_HELD_BACK = 1000
"""Steps that a first fit rolls through at most."""
MOST_ROLLED = 200
"""Steps that an update rolls through: of a longer absence the members are told, nothing is learned."""


@dataclass(frozen=True, slots=True)
class EnsembleState:
    """The members' states (None: asleep), what was learned of them, and where the demand stands.

    `said` (steps, 1 + levels, members) is what the members said from `end_s`, means first; `largest` is the
    largest value seen.
    """

    names: tuple[str, ...]
    context: ForecastContext
    end_s: float
    step_s: float
    largest: float
    members: tuple[Any, ...]
    said: FloatArray
    mixture: Mixture


class Ensemble:
    """A forecaster that mixes `members`: names, or options by name; by default those built in, if installed.

    PluginError when a member that was asked for is not installed.
    """

    name = "ensemble"

    def __init__(self, members: Sequence[str] | Mapping[str, Options | None] | None = None) -> None:
        if members is not None and (not members or self.name in members):
            raise ValueError(f"members {list(members)}: need at least one, and not the ensemble itself")
        self._members = Members.installed() if members is None else Members.of(members)

    def fit(
        self, demand: Demand, context: ForecastContext, warm: EnsembleState | None = None
    ) -> EnsembleState:
        """Fit the members to `demand`; what was learned of them comes from `warm`, or the end of `demand`.

        ValueError when no member can be fitted.
        """
        context = replace(context, levels=tuple(sorted({*context.levels, 0.5})))
        if warm is None or not self._goes_on(warm, demand, context):
            state = self._rehearsed(demand, context)
        elif warm.end_s > demand.end_s:
            # It waits for outcomes that are not those to come.
            state = replace(warm, mixture=warm.mixture.forgetting_what_was_said())
        else:
            state = self.update(warm, after(demand, warm.end_s))
        return self._fitted(state, demand)

    def update(self, state: EnsembleState, new_values: Demand) -> EnsembleState:
        """Learn from each of `new_values` what it says of the forecasts made before it, and move on."""
        news = after(new_values, state.end_s)
        if len(news) > MOST_ROLLED:
            missed = Demand(news.start_s, news.step_s, news.values[:-MOST_ROLLED])
            state = self._told(state, missed)
            state = self._heard(replace(state, mixture=state.mixture.forgetting_what_was_said()), again=True)
            news = news.last(MOST_ROLLED)
        for k in range(len(news)):
            state = self._next(state, Demand(state.end_s, news.step_s, news.values[k : k + 1]))
        return state

    def forecast(self, state: EnsembleState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The mixture of what the members said."""
        context = state.context
        if steps > context.steps:
            raise ValueError(f"{self.name}: {steps} steps asked, fitted for {context.steps}")
        mean = state.mixture.mean(state.said[:, 0])[:steps]
        rows = tuple(tuple(row) for row in state.mixture.quantiles[:steps].T.tolist())
        own = Forecast(state.end_s, state.step_s, tuple(mean.tolist()), context.levels, rows, self.name)
        return replace(own, levels=levels, quantiles=tuple(own.quantile(level) for level in levels))

    def member_forecasts(
        self, state: EnsembleState, steps: int, levels: tuple[float, ...]
    ) -> Mapping[str, Forecast]:
        """What each member said from where the `state` stands, as far as it is a forecast."""
        found = dict[str, Forecast]()
        heard = np.isfinite(state.said).all(axis=(0, 1))
        for k in np.flatnonzero(heard).tolist():
            mean, *rows = map(tuple, state.said[:steps, :, k].T.tolist())
            own = Forecast(state.end_s, state.step_s, mean, state.context.levels, tuple(rows), state.names[k])
            found[own.made_by] = replace(own, levels=levels, quantiles=tuple(map(own.quantile, levels)))
        return found

    def _goes_on(self, warm: EnsembleState, demand: Demand, context: ForecastContext) -> bool:
        same = (warm.names, warm.context, warm.step_s) == (self._members.names, context, demand.step_s)
        return same and warm.end_s > demand.start_s

    def _rehearsed(self, demand: Demand, context: ForecastContext) -> EnsembleState:
        """What forecasts of the end of `demand` teach, made by members fitted to its first part."""
        held_back = min(int(HELD_BACK_SHARE * len(demand)), MOST_HELD_BACK)
        known = len(demand) - held_back
        start = Demand(demand.start_s, demand.step_s, demand.values[:known])
        count = len(self._members.names)
        state = EnsembleState(
            names=self._members.names,
            context=context,
            end_s=start.end_s,
            step_s=demand.step_s,
            largest=_largest(start, 0.0),
            members=self._members.fitted(start, context, (None,) * count, False)[0],
            said=np.full((context.steps, 1 + len(context.levels), count), np.nan),
            mixture=Mixture.start(context.steps, context.levels, count),
        )
        if all(member is None for member in state.members):
            return state
        state = self._heard(state)
        for k in range(known, len(demand)):
            state = self._next(state, Demand(state.end_s, demand.step_s, demand.values[k : k + 1]))
        return state

    def _fitted(self, state: EnsembleState, demand: Demand) -> EnsembleState:
        """The state at the end of `demand`, its members fitted to all of it."""
        stands = abs(state.end_s - demand.end_s) < 0.5 * demand.step_s
        members, faults = self._members.fitted(demand, state.context, state.members, stands)
        if all(member is None for member in members):
            raise ValueError(f"{self.name}: no member could be fitted: {'; '.join(faults)}")
        largest = _largest(demand, state.largest)
        return self._heard(replace(state, members=members, end_s=demand.end_s, largest=largest), again=True)

    def _next(self, state: EnsembleState, value: Demand) -> EnsembleState:
        """One step on: learn from its `value`, tell the members, hear what they say next."""
        at = int(_season_bins(state.context.calendar, np.array([value.start_s]))[0])
        learned = state.mixture.learned(float(value.values[0]), at)
        return self._heard(self._told(replace(state, mixture=learned), value))

    def _told(self, state: EnsembleState, news: Demand) -> EnsembleState:
        members, largest = self._members.told(state.members, news), _largest(news, state.largest)
        return replace(state, members=members, end_s=news.end_s, largest=largest)

    def _heard(self, state: EnsembleState, again: bool = False) -> EnsembleState:
        """With what the members say from where it stands, `again` in place of what they said there."""
        said = self._members.heard(state.members, state.context, state.largest)
        ahead_s = state.end_s + np.arange(state.context.steps) * state.step_s
        bins = _season_bins(state.context.calendar, ahead_s)
        trusted = self._members.trusted(said[:, 1:], state.context)
        return replace(state, said=said, mixture=state.mixture.said(trusted, bins, again))


def _largest(demand: Demand, earlier: float) -> float:
    seen = demand.values[np.isfinite(demand.values)]
    return max(earlier, float(seen.max())) if len(seen) else earlier


def _season_bins(calendar: Calendar, times_s: FloatArray) -> npt.NDArray[np.int64]:
    """In which of `BINS` parts of the shortest season moments lie, by local time."""
    season_s = min(calendar.seasons_s, default=DAY_S)
    local_s = calendar.calendar_times(times_s) + calendar.utc_offsets_s(times_s)
    return (local_s % season_s / season_s * BINS).astype(np.int64) % BINS
