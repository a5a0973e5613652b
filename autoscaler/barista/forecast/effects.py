"""Stated effects of events: taken out of the demand that is learned from, put on the forecast.

An operator who says that a sale doubles demand is taken at his word. Forecasters see demand as it would
have been without it. So none of them learns the sale as a season, none carries it on when it is over, and
the last value during it is not doubled once more.
"""

from dataclasses import replace

import numpy as np

from barista.values.forecast import Forecast
from barista.values.series import Calendar, Demand, FloatArray


def without_effects(demand: Demand, calendar: Calendar) -> Demand:
    """`demand` as it would have been without the events that state an effect."""
    factors = _factors(demand.start_s, demand.step_s, len(demand), calendar)
    return demand if factors is None else replace(demand, values=demand.values / factors)


def with_effects(forecast: Forecast, calendar: Calendar) -> Forecast:
    """`forecast`, its mean and quantiles times what is stated for each step."""
    factors = _factors(forecast.origin_s, forecast.step_s, forecast.steps, calendar)
    if factors is None:
        return forecast
    quantiles = (np.array(row) * factors for row in forecast.quantiles)
    return replace(
        forecast,
        mean=tuple((np.array(forecast.mean) * factors).tolist()),
        quantiles=tuple(tuple(row.tolist()) for row in quantiles),
    )


def _factors(start_s: float, step_s: float, steps: int, calendar: Calendar) -> FloatArray | None:
    """Factor of each step, read at its middle; None where none is stated at all."""
    if all(event.effect is None for event in calendar.events):
        return None
    return calendar.stated_effects(start_s + (np.arange(steps) + 0.5) * step_s)
