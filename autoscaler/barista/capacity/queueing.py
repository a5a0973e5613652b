"""Capacity by queueing: the largest rate whose sojourn-time percentile still keeps the SLO.

A request stays for its waiting and its own service, which are independent where requests are served in
order of arrival. Both are known (`barista.capacity.waiting`, the profile), so the share of requests that
come too late is known for every utilisation; it rises with it, and capacity is where it reaches what the
SLO allows. Requests within a replica may slow each other down: then the service time that counts is
the one measured with as many requests at work as there are on average.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import floor, log2, sqrt

import numpy as np

from barista.capacity.shape import ServiceTime, Shape
from barista.capacity.waiting import EXCEEDED, UTILISATIONS, waits
from barista.values.profile import ExecutionProfile
from barista.values.service import DispatchRule, Slo

_LOG_EXCEEDED = np.log(EXCEEDED)
_IN_FULL = 8
"""Up to this many replicas each count has tables of its own; above, four counts an octave."""


@dataclass(frozen=True, slots=True)
class QueueingCapacity:
    """M/G/c, M/D/c or M/M/c under every dispatch rule, by the `shape` that service times are taken to have.

    `workers` of the profile are the requests that a replica works on at once; who comes then waits.
    """

    shape: Shape = Shape.MEASURED

    def rps(self, profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule, replicas: int) -> float:
        """Requests/s that `replicas` serve together; between tabulated counts by the square-root rule."""
        below, above = _tabulated(replicas)
        each = _rps_each(profile, slo, dispatch, below, self.shape)
        if below < replicas:
            more = _rps_each(profile, slo, dispatch, above, self.shape)
            share = (1 / sqrt(below) - 1 / sqrt(replicas)) / (1 / sqrt(below) - 1 / sqrt(above))
            each += share * (more - each)
        return replicas * each


@lru_cache(maxsize=100_000)
def _rps_each(
    profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule, replicas: int, shape: Shape
) -> float:
    """Requests/s for each of `replicas`; ValueError when the profile knows no service time."""
    if profile.service_time.mean_s <= 0:
        raise ValueError(
            f"profile of {profile.model} on {profile.flavor}: service time"
            f" {profile.service_time.mean_s} s: measure it again"
        )
    slowing = len(profile.by_concurrency) > 1
    table = waits(dispatch, replicas, profile.workers)
    full = ServiceTime.of(profile.service_time, shape, slo.latency_s)

    def service_at(utilisation: float) -> ServiceTime:
        if not slowing:
            return full
        busy = 1 + utilisation * (profile.workers - 1)
        return ServiceTime.of(profile.service_time_at(busy), shape, slo.latency_s)

    def late(row: int) -> float:
        service = service_at(float(UTILISATIONS[row]))
        slack = (slo.latency_s - service.times_s) / service.mean_s
        inside = slack >= 0
        exceeded = np.exp(np.interp(slack[inside], table.row(row, service.scv), _LOG_EXCEEDED))
        return float(1 - service.weights[inside].sum() + service.weights[inside] @ exceeded)

    allowed = 1 - slo.percentile
    low, high = -1, len(UTILISATIONS)
    lateness = {low: 1 - service_at(0.0).share_within(slo.latency_s)}
    while high - low > 1:
        row = (low + high) // 2
        lateness[row] = late(row)
        low, high = (row, high) if lateness[row] <= allowed else (low, row)
    if lateness[low] > allowed:
        return 0.0
    utilisation = float(UTILISATIONS[low]) if low >= 0 else 0.0
    if high < len(UTILISATIONS):
        share = (allowed - lateness[low]) / max(lateness[high] - lateness[low], 1e-12)
        utilisation += min(share, 1.0) * (float(UTILISATIONS[high]) - utilisation)
    return utilisation * profile.workers / service_at(utilisation).mean_s


def _tabulated(replicas: int) -> tuple[int, int]:
    """The counts nearest to `replicas`, at most and above, that have tables of their own."""
    if replicas <= _IN_FULL:
        return replicas, replicas
    quarter = 2 ** floor(log2(replicas)) // 4
    below = replicas // quarter * quarter
    return below, below + quarter
