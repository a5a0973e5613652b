"""The simple forecasters: the lower rungs of the ladder, which need numpy only.

They have nothing to fit: their state is the demand they have seen, so they stand in within
milliseconds when a learned forecaster is missing, broken or not fitted yet. Their quantiles are those
of the errors that the same rule made lately, lead by lead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from barista.forecast.history import joined
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Calendar, Demand, FloatArray

Positions = npt.NDArray[np.int64]
RECENT_ERRORS = 200
"""Errors that quantiles are taken from: the latest ones, so that the bounds follow a change."""
FEWEST_ERRORS = 8
"""Fewer errors say nothing about a bound."""
SEASONS_KEPT = 3


@dataclass(frozen=True, slots=True)
class SeenDemand:
    """The state of both rungs: the demand they can still use, and the calendar to read it by."""

    demand: Demand
    context: ForecastContext


class SeasonalNaive:
    """As much as one season ago: the longest season that the history covers.

    Where that value was not seen, an earlier season's, then a shorter season's is taken. Seasons are those
    of the local clock: across a clock change the same hour a day ago lies 23 or 25 hours back.
    """

    name = "seasonal-naive"

    def fit(self, demand: Demand, context: ForecastContext, warm: SeenDemand | None = None) -> SeenDemand:  # noqa: ARG002
        """Keep what is needed of `demand`. ValueError when it holds less than one season."""
        state = SeenDemand(demand.last(_needed(demand.step_s, context)), context)
        if not _usable(state):
            seasons = context.calendar.season_steps(demand.step_s)
            need = f"{min(seasons) + FEWEST_ERRORS} steps" if seasons else "a season in the context"
            raise ValueError(f"{self.name}: demand of {len(demand)} steps: need {need}")
        if not np.isfinite(demand.values).any():
            raise ValueError(f"{self.name}: demand of {len(demand)} steps holds no value: need one")
        return state

    def update(self, state: SeenDemand, new_values: Demand) -> SeenDemand:
        """The state with `new_values` at its end."""
        return _moved_on(state, new_values)

    def forecast(self, state: SeenDemand, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The season repeated; quantiles by its errors."""
        values, seasons = state.demand.values, _usable(state)
        demand = state.demand
        ahead = _local_steps(state.context.calendar, demand.start_s, demand.step_s, len(demand) + steps)
        past = _Past(values, seasons, ahead)
        targets = np.arange(len(values), len(values) + steps)
        back = past.reaches(range(1, steps + 1))
        mean, apart = np.empty(steps), np.empty((steps, len(levels)))
        for reach in dict.fromkeys(back):
            alike = [k for k, found in enumerate(back) if found == reach]
            mean[alike] = past.a_season_ago(targets[alike], reach)
            apart[alike] = _quantiles([_errors(past, reach)], levels)
        mean = np.where(np.isfinite(mean), mean, _last_value(values))
        return _spread(state, mean, apart, levels, self.name)


class LastValue:
    """As much as now, for as long as asked; quantiles by how far demand has moved in as many steps."""

    name = "last-value"

    def fit(self, demand: Demand, context: ForecastContext, warm: SeenDemand | None = None) -> SeenDemand:  # noqa: ARG002
        """Keep what is needed of `demand`. ValueError when it holds no value."""
        if not np.isfinite(demand.values).any():
            raise ValueError(f"{self.name}: demand of {len(demand)} steps holds no value: need one")
        return SeenDemand(demand.last(_needed(demand.step_s, context)), context)

    def update(self, state: SeenDemand, new_values: Demand) -> SeenDemand:
        """The state with `new_values` at its end."""
        return _moved_on(state, new_values)

    def forecast(self, state: SeenDemand, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The last value repeated; quantiles by past differences."""
        values = state.demand.values
        moves = [_finite(values[lead:] - values[:-lead]) for lead in range(1, steps + 1)]
        return _spread(
            state, np.full(steps, _last_value(values)), _quantiles(moves, levels), levels, self.name
        )


def _needed(step_s: float, context: ForecastContext) -> int:
    longest = max(context.calendar.season_steps(step_s), default=0)
    return SEASONS_KEPT * longest + RECENT_ERRORS + context.steps


def _moved_on(state: SeenDemand, new_values: Demand) -> SeenDemand:
    needed = _needed(new_values.step_s, state.context)
    return replace(state, demand=joined(state.demand, new_values).last(needed))


def _usable(state: SeenDemand) -> tuple[int, ...]:
    """Seasons in steps, longest first, of which the demand holds one and enough errors to judge it by."""
    seasons = state.context.calendar.season_steps(state.demand.step_s)
    return tuple(sorted((s for s in seasons if s + FEWEST_ERRORS <= len(state.demand)), reverse=True))


@dataclass(frozen=True, slots=True)
class _Past:
    """Values by position, their `seasons` in steps, and by how many steps the local clock is ahead where."""

    values: FloatArray
    seasons: tuple[int, ...]
    ahead: Positions

    def reaches(self, leads: range) -> list[tuple[int, ...]]:
        """For each lead: by season, how many of it to go back to find what is known that much before."""
        # A clock that was put forward in between shortens a season.
        shortened = int(np.ptp(self.ahead))
        return [tuple(-(-(lead + shortened) // season) for season in self.seasons) for lead in leads]

    def a_season_ago(self, targets: Positions, reach: tuple[int, ...]) -> FloatArray:
        """Values `reach[i]` or more whole `seasons[i]` before `targets`; NaN where none was seen."""
        found = np.full(len(targets), np.nan)
        for at in self._sources(targets, reach):
            inside = np.isnan(found) & (at >= 0)
            found[inside] = self.values[at[inside]]
            if not np.isnan(found).any():
                break
        return found

    def _sources(self, targets: Positions, reach: tuple[int, ...]) -> Iterator[Positions]:
        n = len(self.values)
        for season, fewest in zip(self.seasons, reach, strict=True):
            for back in range(fewest, fewest + n // season):
                at = targets - back * season
                yield at + self.ahead[targets] - self.ahead[np.maximum(at, 0)]


@lru_cache(maxsize=8)  # services that are forecast together have their steps in common
def _local_steps(calendar: Calendar, start_s: float, step_s: float, n: int) -> Positions:
    """Steps by which the local clock is ahead of UTC, at each of `n` steps from `start_s` on."""
    ahead_s = calendar.utc_offsets_s(start_s + np.arange(n) * step_s) / calendar.rate
    return np.asarray(np.round(ahead_s / step_s), dtype=np.int64)


def _errors(past: _Past, reach: tuple[int, ...]) -> FloatArray:
    """The latest errors of the rule, where both what came and a season ago were seen."""
    first = min(m * season for m, season in zip(reach, past.seasons, strict=True))
    targets = np.arange(max(first, len(past.values) - RECENT_ERRORS), len(past.values))
    return _finite(past.values[targets] - past.a_season_ago(targets, reach))


def _quantiles(errors: Sequence[FloatArray], levels: tuple[float, ...]) -> FloatArray:
    """The quantiles of each of `errors`, shape (len(errors), levels); without errors no spread is known."""
    if len({len(each) for each in errors}) == 1 and len(errors[0]):
        # All at once, which is many times quicker.
        together: FloatArray = np.quantile(np.array(errors), levels, axis=1).T
        return together
    return np.array([np.quantile(each, levels) if len(each) else np.zeros(len(levels)) for each in errors])


def _spread(
    state: SeenDemand, mean: FloatArray, apart: FloatArray, levels: tuple[float, ...], name: str
) -> Forecast:
    """`mean` with quantiles that lie `apart` from it, shape (leads, levels)."""
    quantiles = np.maximum(mean + apart.T, 0.0)
    return Forecast(
        origin_s=state.demand.end_s,
        step_s=state.demand.step_s,
        mean=tuple(np.maximum(mean, 0.0).tolist()),
        levels=levels,
        quantiles=tuple(tuple(row) for row in quantiles.tolist()),
        made_by=name,
    )


def _last_value(values: FloatArray) -> float:
    seen = values[np.isfinite(values)]
    if not len(seen):
        raise ValueError(f"demand of {len(values)} steps holds no value: need one")
    return float(seen[-1])


def _finite(errors: FloatArray) -> FloatArray:
    latest: FloatArray = errors[np.isfinite(errors)][-RECENT_ERRORS:]
    return latest
