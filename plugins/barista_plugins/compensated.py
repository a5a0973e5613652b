"""The published forecaster: Prophet with an error compensator (Barista, 2019, arXiv 1904.01576).

Prophet is refitted on a rolling window; it knows the calendar, and nothing of the last minutes. The
compensator does: for each lead it predicts Prophet's error from Prophet's estimate, its bounds and
the last few errors. Here it is a ridge regression: with so few inputs, and refitted as often as
Prophet, a linear rule learns what there is to learn, deterministically and in a millisecond. Quantiles
are those of the recent errors that are left.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import DAY_S, Calendar, Demand, FloatArray
from barista_plugins.gaps import filled, followed_by, trimmed
from barista_plugins.recent_errors import KEPT, errors_of, kept, shifts, stated

Positions = npt.NDArray[np.int64]
LAST_ERRORS = 5
PROPHET_COLUMNS = ("yhat", "yhat_lower", "yhat_upper")
BOUNDS = 0.8
"""Prophet's interval that the compensator sees (Prophet's own default)."""
BOUND_SAMPLES = 200
FOURIER_ORDER = 6
RIDGE = 1.0
FEWEST_VALUES = 50
FITTED_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Curve:
    """Prophet's estimate and bounds on the step, columns of `values`, shape (n, 3), from `start_s` on.

    Past its end its last `season` steps repeat, so that a state can be used until it is refitted.
    """

    start_s: float
    step_s: float
    season: int
    values: FloatArray

    def at(self, start_s: float, n: int) -> FloatArray:
        """Estimate, lower and upper bound of `n` steps from `start_s` on, shape (n, 3)."""
        at = round((start_s - self.start_s) / self.step_s) + np.arange(n)
        end = len(self.values)
        repeated = end - self.season + (at - end) % self.season
        found: FloatArray = self.values[np.where(at < end, at, repeated)]
        return found


@dataclass(frozen=True, slots=True)
class CompensatedState:
    """Prophet's curve, the compensator's weights (steps, inputs), recent demand, errors that are left."""

    context: ForecastContext
    curve: Curve
    weights: FloatArray
    recent: Demand
    errors: FloatArray

    def predict(self, demand: Demand, origins: Positions) -> FloatArray:
        """Compensated estimates after each origin, shape (n, steps, 1); an origin o has seen o values."""
        steps = len(self.weights)
        curve = self.curve.at(demand.start_s, len(demand) + steps)
        inputs = _inputs(demand.values, curve, origins, steps)
        ahead = origins[:, None] + np.arange(steps)
        compensated: FloatArray = curve[ahead, 0] + np.einsum("nsi,si->ns", inputs, self.weights)
        return compensated[..., None]


@dataclass(frozen=True, slots=True)
class CompensatedForecaster:
    """Prophet on the last `window_days` of the calendar, its errors compensated."""

    window_days: float = 28.0
    name: str = "compensated"

    def fit(
        self, demand: Demand, context: ForecastContext, warm: CompensatedState | None = None
    ) -> CompensatedState:
        """Fit Prophet and compensator to the window; errors known from `warm` are kept."""
        calendar = context.calendar
        window = int(self.window_days * DAY_S / calendar.rate / demand.step_s)
        demand = trimmed(demand.last(max(window, FEWEST_VALUES)))
        seen = int(np.isfinite(demand.values).sum())
        need = max(FEWEST_VALUES, 3 * context.steps)
        if seen < need:
            raise ValueError(f"{self.name}: demand of {len(demand)} steps with {seen} values: need {need}")
        seasons = _usable(calendar, demand)
        curve = prophet_curve(demand, calendar, seasons, context)
        whole = Demand(demand.start_s, demand.step_s, filled(demand.values, seasons))
        weights = _compensator(demand, whole, curve, context.steps)
        empty = np.empty((0, context.steps, 1))
        state = CompensatedState(context, curve, weights, whole, empty)
        first = max(LAST_ERRORS + context.steps, len(demand) - KEPT)
        errors = errors_of(lambda o: state.predict(whole, o), demand.values, first, context.steps)
        if warm is not None and warm.context == context and warm.recent.step_s == demand.step_s:
            errors = kept(errors, warm.errors)
        return replace(state, recent=whole.last(_kept_steps(context)), errors=errors)

    def update(self, state: CompensatedState, new_values: Demand) -> CompensatedState:
        """Move on by `new_values`; the forecasts made before them are now known to be this wrong."""
        recent, new = state.recent, followed_by(state.recent, new_values)
        outcomes = np.concatenate([recent.values, new])
        whole = Demand(recent.start_s, recent.step_s, filled(outcomes, ()))
        errors = errors_of(
            lambda origins: state.predict(whole, origins), outcomes, len(recent), state.context.steps
        )
        return replace(
            state, recent=whole.last(_kept_steps(state.context)), errors=kept(state.errors, errors)
        )

    def forecast(self, state: CompensatedState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """Prophet's estimate, compensated; quantiles by the recent errors."""
        if steps > state.context.steps:
            raise ValueError(f"{self.name}: {steps} steps asked, fitted for {state.context.steps}")
        recent, fitted = state.recent, state.context.levels
        mean = state.predict(recent, np.array([len(recent)]))[0, :, 0]
        errors = np.broadcast_to(state.errors, (*state.errors.shape[:2], len(fitted)))
        quantiles = mean[:, None] + shifts(errors, fitted)
        return stated(recent.end_s, recent.step_s, mean[:steps], quantiles[:steps], fitted, levels, self.name)


def _kept_steps(context: ForecastContext) -> int:
    # Errors of new values need the origins one horizon before them, and these their last errors.
    return LAST_ERRORS + 2 * context.steps


def _usable(calendar: Calendar, demand: Demand) -> tuple[int, ...]:
    """Seasons in steps that the demand holds twice."""
    return tuple(s for s in calendar.season_steps(demand.step_s) if 2 * s <= len(demand))


def prophet_curve(
    demand: Demand, calendar: Calendar, seasons: tuple[int, ...], context: ForecastContext
) -> Curve:
    """Fit Prophet to `demand`; its estimates over it, and one of its longest seasons (a horizon) further.

    Its time axis is the calendar's, from the local time of the first step on, without clock changes.
    """
    import pandas as pd
    from prophet import Prophet

    # Its progress is nothing a controller's log should hold; cmdstanpy resets the level of its logger.
    logging.getLogger("cmdstanpy").disabled = True
    ahead = max(max(seasons, default=0), 2 * context.steps)
    n, step_calendar_s = len(demand), demand.step_s * calendar.rate
    # Prophet is smooth between steps: of a long fine series every few steps tell as much.
    at = np.arange(0, n + ahead + 1, -(-n // FITTED_ROWS))
    origin = pd.Timestamp(calendar.local(np.array([demand.start_s]))[0])
    axis = origin + pd.to_timedelta(at * step_calendar_s, unit="s")
    model = Prophet(
        daily_seasonality=False,
        weekly_seasonality=False,
        yearly_seasonality=False,
        interval_width=BOUNDS,
        uncertainty_samples=BOUND_SAMPLES,
    )
    for season in seasons:
        order = min(FOURIER_ORDER, season // 2)
        model.add_seasonality(f"every {season}", season * step_calendar_s / DAY_S, order)
    known = at < n
    model.fit(pd.DataFrame({"ds": axis[known], "y": demand.values[at[known]]}), seed=context.seed)
    np.random.seed(context.seed)  # Prophet draws its bounds from the global generator.
    made = model.predict(pd.DataFrame({"ds": axis}))
    columns = [np.interp(np.arange(n + ahead), at, made[name]) for name in PROPHET_COLUMNS]
    return Curve(demand.start_s, demand.step_s, ahead, np.stack(columns, axis=1))


def _inputs(values: FloatArray, curve: FloatArray, origins: Positions, steps: int) -> FloatArray:
    """What the compensator sees per origin and lead, shape (n, steps, 3 + LAST_ERRORS)."""
    ahead = origins[:, None] + np.arange(steps)
    back = origins[:, None] - 1 - np.arange(LAST_ERRORS)
    errors = values[back] - curve[back, 0]
    return np.concatenate(
        [curve[ahead], np.broadcast_to(errors[:, None, :], (len(origins), steps, LAST_ERRORS))], axis=2
    )


def _compensator(seen: Demand, whole: Demand, curve: Curve, steps: int) -> FloatArray:
    """Ridge weights per lead, shape (steps, inputs), of Prophet's errors where the outcome was seen."""
    estimates = curve.at(whole.start_s, len(whole) + steps)
    origins = np.arange(LAST_ERRORS, len(whole) - steps + 1)
    inputs = _inputs(whole.values, estimates, origins, steps)
    scale = np.maximum(np.sqrt((inputs**2).mean(axis=(0, 1))), 1e-12)
    weights = np.empty((steps, inputs.shape[2]))
    for k in range(steps):
        error = seen.values[origins + k] - estimates[origins + k, 0]
        known = np.isfinite(error)
        x = inputs[known, k] / scale
        gram = x.T @ x + RIDGE * np.eye(x.shape[1])
        weights[k] = np.linalg.solve(gram, x.T @ error[known]) / scale
    return weights
