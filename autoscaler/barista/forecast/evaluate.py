"""Evaluation: how good a forecaster would have been, rolling its origin over a recorded series.

Strictly causal: at an origin a forecaster has been given the values up to it and nothing else. When it is
refitted follows from positions in the series alone, so cutting the series after an origin changes
nothing before it. Refits are warm and begin a few refits ahead of the window, as in production, where a
service has been watched for some time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray

LEVELS = (0.05, 0.5, 0.95)
REFITS_AHEAD = 3
"""Refits before the window: the forecaster's recent errors are then ones it made by itself."""


class NotEvaluated(Exception):
    """The series and what is asked of it do not go together; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Window:
    """What to forecast: targets from position `first` to `last` of the series, at `leads` steps."""

    first: int
    last: int
    leads: tuple[int, ...]

    @property
    def origins(self) -> range:
        """Positions of the last value seen: from the first target's to the window's end."""
        return range(self.first - max(self.leads), self.last + 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One forecast of one target; `origin` is the position of the last value seen."""

    origin: int
    lead: int
    mean: float
    q50: float
    q95: float

    @property
    def target(self) -> int:
        """Position that is forecast."""
        return self.origin + self.lead


@dataclass(frozen=True, slots=True)
class Score:
    """How good the forecasts at one lead were; point scores but `mae_mean` are those of q50."""

    lead: int
    targets: int
    mae: float
    mae_mean: float
    mape_percent: float
    pinball95: float
    coverage95: float
    over_provision: float


def roll(
    forecaster: Forecaster, demand: Demand, context: ForecastContext, window: Window, refit_steps: int
) -> Iterable[list[Row]]:
    """The forecasts of each origin of `window`, one list an origin, refitting every `refit_steps` positions.

    NotEvaluated when the series before the first origin is too short to fit.
    """
    first = window.origins[0] + 1
    if first < 1:
        raise NotEvaluated(f"the first target has no value {max(window.leads)} steps before it")
    start = max(first // refit_steps - REFITS_AHEAD, 1) * refit_steps
    state: Any = None
    for seen in range(min(start, first), window.last + 2):
        # With too little before the first scheduled fit, the first origin is fitted at instead.
        if seen % refit_steps == 0 or (seen == first and state is None):
            state = _fitted(forecaster, demand, context, seen, state, must=seen >= first)
        elif state is not None:
            state = forecaster.update(state, _steps(demand, seen - 1, seen))
        if seen >= first:
            made = forecaster.forecast(state, max(window.leads), context.levels)
            fault = made.fault()
            if fault is not None:
                raise NotEvaluated(f"{forecaster.name}: forecast after {seen} steps: {fault}")
            yield [_row(made, seen - 1, lead) for lead in window.leads]


def score(rows: Sequence[Row], demand: Demand, window: Window) -> list[Score]:
    """Scores per lead over the targets of `window` whose value was seen."""
    return [_score(lead, [row for row in rows if row.lead == lead], demand, window) for lead in window.leads]


def _fitted(
    forecaster: Forecaster,
    demand: Demand,
    context: ForecastContext,
    seen: int,
    state: Any | None,
    must: bool,
) -> Any | None:
    # Moved on first, so that a warm fit knows the latest error too.
    if state is not None:
        state = forecaster.update(state, _steps(demand, seen - 1, seen))
    try:
        return forecaster.fit(_steps(demand, 0, seen), context, state)
    except ValueError as error:
        if must and state is None:
            raise NotEvaluated(f"too few values before the window: {error}") from error
        return state


def _steps(demand: Demand, start: int, end: int) -> Demand:
    return Demand(demand.start_s + start * demand.step_s, demand.step_s, demand.values[start:end])


def _row(made: Forecast, origin: int, lead: int) -> Row:
    q50, q95 = made.quantile(0.5)[lead - 1], made.quantile(0.95)[lead - 1]
    return Row(origin, lead, made.mean[lead - 1], q50, q95)


def _score(lead: int, rows: Sequence[Row], demand: Demand, window: Window) -> Score:
    inside = [row for row in rows if window.first <= row.target <= min(window.last, len(demand) - 1)]
    actual = demand.values[[row.target for row in inside]]
    known = np.isfinite(actual)
    if not known.any():
        raise NotEvaluated(f"lead {lead}: no target in the window has a value")
    y, q50, q95, mean = (
        np.asarray(column)[known]
        for column in (
            actual,
            [row.q50 for row in inside],
            [row.q95 for row in inside],
            [row.mean for row in inside],
        )
    )
    miss, some = np.abs(y - q50), y > 0
    return Score(
        lead=lead,
        targets=len(y),
        mae=float(miss.mean()),
        mae_mean=float(np.abs(y - mean).mean()),
        mape_percent=float(100 * (miss[some] / y[some]).mean()) if some.any() else float("nan"),
        pinball95=pinball(y, q95, 0.95),
        coverage95=float((y <= q95).mean()),
        over_provision=float(np.maximum(q95 - y, 0).mean() / y.mean()) if some.any() else float("nan"),
    )


def pinball(actual: FloatArray, quantile: FloatArray, level: float) -> float:
    """Mean pinball loss of a stated `quantile` at `level`: the one number for a bound."""
    above = actual - quantile
    return float(np.maximum(level * above, (level - 1) * above).mean())
