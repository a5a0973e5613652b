"""The demo's trace: a day of departures and the four weeks before, on a compressed clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from barista.load.arrivals import poisson_arrivals
from barista.load.departures import TIME_ZONE, compressed, departures_by_minute, midnight_s
from barista.values.series import DAY_S, Calendar, Demand, FloatArray
from barista.values.service import ServiceId

DAY = date(2013, 6, 12)
DAYS_BEFORE = 28
TRACE_STEP_S = 900.0
"""Departures are scheduled to round minutes; a quarter of an hour is the finest step that means something."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals of each service over the day, and its demand before, as it would have been counted.

    `arrivals` are seconds after the day's beginning; `past` ends at 0, the day's beginning.
    """

    minutes: float
    seed: int
    peak_rps: Mapping[ServiceId, float]
    arrivals: Mapping[ServiceId, FloatArray]
    past: Mapping[ServiceId, Demand]

    @property
    def rate(self) -> float:
        """Trace seconds per second."""
        return DAY_S / (60 * self.minutes)

    @property
    def step_s(self) -> float:
        """Length of a step of the trace on the compressed clock."""
        return TRACE_STEP_S / self.rate

    def calendar(self, start_s: float) -> Calendar:
        """How the clock reads when the day begins at `start_s` (seconds since the epoch)."""
        return Calendar(TIME_ZONE, self.rate, start_s, midnight_s(DAY))

    def past_until(self, start_s: float, now_s: float) -> dict[ServiceId, Demand]:
        """The demand before a day that begins at `start_s`, as far as it is over at `now_s`."""
        return {
            service: Demand(start_s + demand.start_s, demand.step_s, demand.values).until(now_s)
            for service, demand in self.past.items()
        }


def departures(peak_rps: Mapping[ServiceId, float], minutes: float, seed: int) -> Trace:
    """The trace with a day of `minutes`, each service scaled to its busiest quarter of an hour in it.

    NoTrace when the data package is not installed.
    """
    by_minute = departures_by_minute(DAY - timedelta(days=DAYS_BEFORE), DAYS_BEFORE + 1)
    rate = DAY_S / (60 * minutes)
    step_s = TRACE_STEP_S / rate
    arrivals: dict[ServiceId, FloatArray] = {}
    past: dict[ServiceId, Demand] = {}
    for number, (service, peak) in enumerate(sorted(peak_rps.items())):
        start_s = -DAYS_BEFORE * DAY_S / rate
        rates = compressed(by_minute, start_s=start_s, step_s=step_s, rate=rate, peak_rps=peak)
        times_s = poisson_arrivals(rates, seed=seed + number)
        arrivals[service] = times_s[times_s >= 0]
        edges = start_s + np.arange(round(-start_s / step_s) + 1) * step_s
        counts, _ = np.histogram(times_s, edges)
        past[service] = Demand(start_s, step_s, counts / step_s)
    return Trace(minutes, seed, dict(peak_rps), arrivals, past)
