"""Smoothing: double-seasonal exponential smoothing, its rates chosen lead by lead.

It has no inputs and no training, only a memory of level and habits that each value moves: the steadiest
of the forecasters, and at home when history is short. Many combinations of rates run through the
history side by side; each lead takes the one that forecast it best, with the share of the latest error
that still holds then. Afterwards those few move on value by value, and nothing is fitted again
until the longest season has passed.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import WEEK_S, Calendar, Demand, FloatArray
from barista_plugins.double_seasonal import Passed, Rates, Smoothed
from barista_plugins.gaps import filled, followed_by, trimmed
from barista_plugins.lagged import Positions
from barista_plugins.learning import HELD_OUT_SHARE, LEARNED_STEPS
from barista_plugins.pending import Pending
from barista_plugins.recent_errors import KEPT, errors_of
from barista_plugins.scales import Scale

KINDS = ("root", "log")
LEVEL_RATES = (0.002, 0.01, 0.03, 0.1, 0.3)
SEASON_RATES = (0.01, 0.04, 0.12, 0.3)
LARGEST = 0.9
"""Quantile of the differences to the season before: a larger error moves no further than it."""
SMALLEST_LIMIT = 0.1
"""Errors up to this share of the same quantile of distances from the median always count in full."""
JUDGED_SHARE = 0.5
"""Share of the history, its later part, that rates are chosen on."""
CLIPPED = 0.95
"""Quantile that errors are clipped at when choices are judged: no burst decides them."""
FEWEST_VALUES = 32


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidate each lead takes (steps,), and how much of its latest error holds then (steps,)."""

    candidates: Positions
    fading: FloatArray

    def estimates(self, passed: Passed) -> FloatArray:
        """Estimates after each value passed, shape (n, steps, 1)."""
        made = [
            passed.ahead(lead, slice(c, c + 1)) + share * passed.errors[:, c : c + 1]
            for lead, (c, share) in enumerate(zip(self.candidates, self.fading, strict=True), 1)
        ]
        return np.stack(made, axis=1)


@dataclass(frozen=True, slots=True)
class SmoothingState:
    """The chosen candidates as they stand at `end_s`, on `scale`; chosen at `chosen_s`."""

    context: ForecastContext
    scale: Scale
    choice: Choice
    smoothed: Smoothed
    pending: Pending
    end: Demand
    chosen_s: float


@dataclass(frozen=True, slots=True)
class SmoothingForecaster:
    """Smoothing with the seasons of the calendar that the demand holds twice; quantiles by recent errors."""

    name: str = "smoothing"

    def fit(
        self, demand: Demand, context: ForecastContext, warm: SmoothingState | None = None
    ) -> SmoothingState:
        """Choose rates on `demand`; a `warm` state whose choice is recent only moves on."""
        demand = trimmed(demand)
        if warm is not None and warm.context == context and _still_chosen(warm, demand):
            return self.update(warm, demand)
        seen = int(np.isfinite(demand.values).sum())
        if seen < FEWEST_VALUES + 2 * context.steps:
            need = f"need {FEWEST_VALUES + 2 * context.steps}"
            raise ValueError(f"{self.name}: demand of {len(demand)} steps with {seen} values: {need}")
        demand = demand.last(LEARNED_STEPS)
        tried = [_tried(demand, Scale.of(demand.values, kind), context) for kind in KINDS]
        return min(tried, key=lambda attempt: attempt[1])[0]

    def update(self, state: SmoothingState, new_values: Demand) -> SmoothingState:
        """The state moved on by `new_values`."""
        come = replace(state.end, values=followed_by(state.end, new_values))
        new = state.scale.apply(come.values)
        if not len(new):
            return state
        smoothed, passed = state.smoothed.followed(new, _jumps(come, state.context.calendar))
        pending = state.pending.followed(new, state.choice.estimates(passed))
        return replace(state, smoothed=smoothed, pending=pending, end=come.last(0))

    def forecast(self, state: SmoothingState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The estimates of the chosen candidates, with the quantiles of their recent errors."""
        fitted, undo = state.context.levels, state.scale.undo
        at = state.end
        return state.pending.forecast(at.end_s, at.step_s, steps, fitted, levels, undo, self.name)


def _seasons(n: int, context: ForecastContext, step_s: float) -> tuple[int, ...]:
    return tuple(sorted({s for s in context.calendar.season_steps(step_s) if 2 * s <= n}))


def _still_chosen(warm: SmoothingState, demand: Demand) -> bool:
    seasons = _seasons(len(demand), warm.context, demand.step_s)
    held_s = max(seasons, default=0) * demand.step_s or WEEK_S
    known = tuple(len(habit) for habit in warm.smoothed.habits)
    return warm.end.step_s == demand.step_s and known == seasons and demand.end_s - warm.chosen_s < held_s


def _tried(demand: Demand, scale: Scale, context: ForecastContext) -> tuple[SmoothingState, float]:
    """The state with the best rates on `scale`, and how far they were off (requests/s) when chosen."""
    seasons = _seasons(len(demand), context, demand.step_s)
    seen = scale.apply(demand.values)
    grid = np.array(list(product(LEVEL_RATES, *[SEASON_RATES] * len(seasons)))).T
    whole = filled(seen, seasons)
    level, limit = float(np.median(whole[: max(seasons, default=1)])), _largest(whole, seasons)
    start = Smoothed.started(level, seasons, Rates(grid[0], grid[1:]), limit)
    every, passed = start.followed(seen, _jumps(demand, context.calendar))
    known = len(seen) - min(KEPT, int(len(seen) * HELD_OUT_SHARE))
    choice, miss = _chosen(passed, seen[:known], scale, context.steps)
    made = choice.estimates(passed)
    errors = errors_of(lambda origins: made[origins - 1], seen, known, context.steps)
    taken, candidates = np.unique(choice.candidates, return_inverse=True)
    pending = Pending(made[-context.steps :], errors)
    state = SmoothingState(
        context,
        scale,
        replace(choice, candidates=candidates),
        every.only(taken),
        pending,
        demand.last(0),
        demand.end_s,
    )
    return state, miss


def _jumps(demand: Demand, calendar: Calendar) -> dict[int, int]:
    """At which steps of `demand` the local clock jumps ahead, and by how many steps."""
    times_s = demand.start_s + np.arange(-1, len(demand)) * demand.step_s
    jumped_s = np.diff(calendar.utc_offsets_s(times_s)) / calendar.rate
    steps = np.round(jumped_s / demand.step_s).astype(int)
    return {int(at): int(steps[at]) for at in np.flatnonzero(steps)}


def _largest(whole: FloatArray, seasons: tuple[int, ...]) -> float:
    """The largest error that is still no burst."""
    back = max(seasons, default=1)
    differences, distances = np.abs(whole[back:] - whole[:-back]), np.abs(whole - np.median(whole))
    limits = np.quantile(differences, LARGEST), SMALLEST_LIMIT * np.quantile(distances, LARGEST)
    return float(max(limits))


def _chosen(passed: Passed, seen: FloatArray, scale: Scale, steps: int) -> tuple[Choice, float]:
    """The candidate and the fading of each lead that were least off in the later part of `seen`."""
    candidates, fading, total = [], [], 0.0
    for lead in range(1, steps + 1):
        origins = np.arange(int(len(seen) * (1 - JUDGED_SHARE)), len(seen) - lead)
        origins = origins[np.isfinite(seen[origins + lead])]
        outcome = seen[origins + lead, None]
        made, latest = passed.ahead(lead)[origins], passed.errors[origins]
        share = _share(outcome - made, latest)
        errors = np.abs(scale.undo(outcome) - scale.undo(made + share * latest))
        miss = np.minimum(errors, np.quantile(errors, CLIPPED)).mean(axis=0)
        best = int(miss.argmin())
        candidates.append(best)
        fading.append(share[best])
        total += float(miss[best])
    return Choice(np.array(candidates), np.array(fading)), total


def _share(left: FloatArray, latest: FloatArray) -> FloatArray:
    """How much of the `latest` errors (n, p) is in what is `left` (n, p), per candidate: shape (p,)."""
    weights, share = np.ones_like(left), np.zeros(left.shape[1])
    for _ in range(3):
        square = (weights * latest**2).sum(axis=0)
        share = (weights * latest * left).sum(axis=0) / np.maximum(square, 1e-12)
        miss = np.abs(left - share * latest)
        weights = 1.0 / np.maximum(miss, 0.1 * np.median(miss, axis=0) + 1e-9)
    return share
