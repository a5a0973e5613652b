"""The average day: at ten in the morning, as much as on other days at ten in the morning.

A forecaster in full, small enough to read in one go. It holds no state of its own: what it learned is the
value that `fit` and `update` return, which is stored, sent between processes and handed back.
"""

from dataclasses import dataclass

import numpy as np
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray


@dataclass(frozen=True, slots=True)
class SeenDays:
    """The state: the days that are averaged, on the step that the demand came in."""

    demand: Demand
    day_steps: int


@dataclass(frozen=True, slots=True)
class AverageDay:
    """Mean and quantiles of the last `days` at the same time of day. Its fields are its options."""

    days: int = 14
    name: str = "average-day"

    def fit(self, demand: Demand, context: ForecastContext, warm: SeenDays | None = None) -> SeenDays:
        """Keep the last days of `demand`. ValueError when there is no value, or no day to average."""
        seasons = context.calendar.season_steps(demand.step_s)
        if not np.isfinite(demand.values).any() or not seasons:
            raise ValueError(f"{self.name}: demand of {len(demand)} steps: need a value, and a season")
        return SeenDays(demand.last(self.days * seasons[0]), seasons[0])

    def update(self, state: SeenDays, new_values: Demand) -> SeenDays:
        """The state with `new_values` at its end, and as much less at its beginning."""
        values = np.concatenate([state.demand.values, new_values.values])
        demand = Demand(state.demand.start_s, state.demand.step_s, values)
        return SeenDays(demand.last(self.days * state.day_steps), state.day_steps)

    def forecast(self, state: SeenDays, steps: int, levels: tuple[float, ...]) -> Forecast:
        """Demand in the `steps` that follow, with quantiles at `levels`."""
        demand = state.demand
        by_step = [_seen_at(demand.values, len(demand) + k, state.day_steps) for k in range(steps)]
        return Forecast(
            origin_s=demand.end_s,
            step_s=demand.step_s,
            mean=tuple(float(values.mean()) for values in by_step),
            levels=levels,
            quantiles=tuple(
                tuple(float(np.quantile(values, level)) for values in by_step) for level in levels
            ),
            made_by=self.name,
        )


def _seen_at(values: FloatArray, position: int, day_steps: int) -> FloatArray:
    """What was seen at the time of day of `position`; NaN is a gap, and where all are, any time must do."""
    same_time = values[position % day_steps :: day_steps]
    seen = same_time[np.isfinite(same_time)]
    return seen if len(seen) else values[np.isfinite(values)]
