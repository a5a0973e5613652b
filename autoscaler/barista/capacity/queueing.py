"""Capacity by queueing: the largest rate whose sojourn-time percentile still keeps the SLO.

A request stays for its waiting and its own service, which are independent where requests are served in
order of arrival. Both are known (`barista.capacity.waiting`, the profile), so the share of requests that
come too late is known for every utilisation; it rises with it, and capacity is where it reaches what the
SLO allows. Requests within a replica may slow each other down: then the service time that counts is
the one measured with as many requests at work as there are on average. Requests that come by chance
may be ahead of what service times foretell (the profile says by how much): so much is the SLO longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import floor, log2, sqrt

import numpy as np

from barista.capacity.shape import ServiceTime, Shape
from barista.capacity.waiting import UTILISATIONS, waits
from barista.values.profile import ExecutionProfile
from barista.values.series import FloatArray
from barista.values.service import DispatchRule, Slo

FASTEST = 0.1
"""An SLO within which fewer than this share of services are done is not kept, however far ahead they are."""
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
        each = self._each(profile, slo, dispatch, below)
        if below < replicas:
            more = self._each(profile, slo, dispatch, above)
            share = (1 / sqrt(below) - 1 / sqrt(replicas)) / (1 / sqrt(below) - 1 / sqrt(above))
            each += share * (more - each)
        return replicas * each

    def _each(self, profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule, replicas: int) -> float:
        """Requests/s for each of so many; where queues were played, at least what each of fewer serves."""
        played = dispatch is DispatchRule.TWO_CHOICES
        counts = _counts(replicas) if played else (replicas,)
        return max(_rps_each(profile, slo, dispatch, count, self.shape) for count in counts)


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
    bound_s = slo.latency_s + profile.ahead_s
    slowing = len(profile.by_concurrency) > 1
    table = waits(dispatch, replicas, profile.workers)
    full = ServiceTime.of(profile.service_time.evened(profile.dispersion), shape, bound_s)

    def service_at(utilisation: float) -> ServiceTime:
        if not slowing:
            return full
        busy = 1 + utilisation * (profile.workers - 1)
        times = profile.service_time_at(busy).evened(profile.dispersion)
        return ServiceTime.of(times, shape, bound_s)

    def late(row: int) -> float:
        service = service_at(float(UTILISATIONS[row]))
        slack = (bound_s - service.times_s) / service.mean_s
        inside = slack >= 0
        if not inside.any():
            return 1.0
        exceeded = table.exceeding(row, service, slack[inside])
        return float(1 - service.weights[inside].sum() + service.weights[inside] @ exceeded)

    allowed = 1 - slo.percentile
    low, high = -1, len(UTILISATIONS)
    lateness = {low: 1 - service_at(0.0).share_within(bound_s)}
    if lateness[low] > allowed or slo.latency_s < profile.service_time.quantile(FASTEST):
        return 0.0
    while high - low > 1:
        row = (low + high) // 2
        lateness[row] = late(row)
        low, high = (row, high) if lateness[row] <= allowed else (low, row)
    utilisation = float(UTILISATIONS[low]) if low >= 0 else 0.0
    if high < len(UTILISATIONS):
        by_waiting = np.array([lateness[low], allowed, lateness[high]]) - lateness[-1]
        utilisation = _between(utilisation, float(UTILISATIONS[high]), by_waiting)
    return utilisation * profile.workers / service_at(utilisation).mean_s


def _between(low: float, high: float, late: FloatArray) -> float:
    """The utilisation at which waiting makes so many late as the middle one of `late` says.

    The others belong to `low` and `high`; between them lateness is a power of the utilisation.
    """
    if late[0] <= 0 or late[1] <= 0:
        return low + (high - low) * float(min(late[1] / late[2], 1.0))
    share = float(np.log(late[1] / late[0]) / np.log(late[2] / late[0]))
    return float(low * (high / low) ** min(share, 1.0))


def _counts(most: int) -> Iterator[int]:
    """The counts that have tables of their own, up to `most`."""
    count = 1
    while count <= most:
        yield count
        count += _step(count)


def _tabulated(replicas: int) -> tuple[int, int]:
    """The counts nearest to `replicas`, at most and above, that have tables of their own."""
    if replicas <= _IN_FULL:
        return replicas, replicas
    step = _step(replicas)
    below = replicas // step * step
    return below, below + step


def _step(count: int) -> int:
    return 1 if count < _IN_FULL else 2 ** floor(log2(count)) // 4
