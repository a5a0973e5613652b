"""What can be seen of a simulated service: the figures that a metrics server would report."""

import math
from dataclasses import dataclass

import numpy as np

from barista.platforms.simulated.offered import Offered
from barista.platforms.simulated.queue import FcfsQueue
from barista.values.observation import Observation, Reading
from barista.values.series import Demand
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
    served = queue.served(view.from_s, view.at_s)
    answered = (served.done_s > view.from_s) & (served.done_s <= view.at_s)
    latency_s = (served.done_s - served.arrived_s)[answered]
    busy_s = np.minimum(served.done_s, view.at_s) - np.maximum(served.began_s, view.from_s)
    rate_rps = offered.rate_rps(view.from_s, view.at_s)

    def reading(value: float) -> Reading:
        return Reading.missing() if math.isnan(value) else Reading.fresh(float(value), view.at_s)

    return Observation(
        service=service.id,
        demand_rps=reading(rate_rps),
        latency_s=reading(np.quantile(latency_s, service.slo.percentile) if latency_s.size else math.nan),
        in_flight=reading(queue.in_flight(view.at_s)),
        concurrency=reading(float(np.maximum(0.0, busy_s).sum()) / view.window_s),
        recent=_recent(offered, view),
    )


def _recent(offered: Offered, view: View) -> Demand:
    """The whole steps that are over, from the one the window began in; the last one at least."""
    end_s = math.floor(view.at_s / view.step_s + 1e-6) * view.step_s
    start_s = min(math.floor(view.from_s / view.step_s + 1e-6) * view.step_s, end_s - view.step_s)
    return offered.series(start_s, end_s, view.step_s)
