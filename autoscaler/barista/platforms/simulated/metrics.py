"""What can be seen of a simulated service: the figures that a metrics server would report."""

import math
from dataclasses import dataclass

import numpy as np

from barista.platforms.simulated.offered import Offered
from barista.platforms.simulated.queue import FcfsQueue
from barista.values.observation import Observation, Reading
from barista.values.series import Demand, FloatArray
from barista.values.service import Service


@dataclass(frozen=True, slots=True)
class View:
    """The moment that is seen, how far back the window reaches, and the planning step; seconds."""

    at_s: float
    window_s: float
    step_s: float

    @property
    def from_s(self) -> float:
        """The beginning of the window."""
        return self.at_s - self.window_s


def observation(service: Service, queue: FcfsQueue, offered: Offered, view: View) -> Observation:
    """What is seen of `service`. Latency is missing when nothing was answered in the window."""
    seen = queue.look(view.from_s, view.at_s)
    rate_rps = offered.rate_rps(view.from_s, view.at_s)

    def reading(value: float) -> Reading:
        return Reading.missing() if math.isnan(value) else Reading.fresh(float(value), view.at_s)

    return Observation(
        service=service.id,
        demand_rps=reading(rate_rps),
        latency_s=reading(_quantile(seen.latencies_s, service.slo.percentile)),
        in_flight=reading(seen.in_flight),
        concurrency=reading(seen.busy_s / view.window_s),
        recent=recent(offered, view),
    )


def _quantile(latencies_s: FloatArray, level: float) -> float:
    """As `numpy.quantile`, an order of magnitude sooner for few values; NaN without any."""
    if not latencies_s.size:
        return math.nan
    at = level * (latencies_s.size - 1)
    below = min(int(at), max(latencies_s.size - 2, 0))
    above = min(below + 1, latencies_s.size - 1)
    ordered = np.sort(latencies_s)
    return float(ordered[below] + (at - below) * (ordered[above] - ordered[below]))


def recent(offered: Offered, view: View) -> Demand:
    """The whole steps that are over, from the one the window began in; the last one at least."""
    end_s = math.floor(view.at_s / view.step_s + 1e-6) * view.step_s
    start_s = min(math.floor(view.from_s / view.step_s + 1e-6) * view.step_s, end_s - view.step_s)
    return offered.series(start_s, end_s, view.step_s)
