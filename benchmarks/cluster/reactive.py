"""The reactive policies of the protocol: fair share, one-shot, and additive increase and decrease.

Every ten seconds they look at the mean latency of what ended lately (a refusal looks fast), count how long it
has been on one side of the objective, and act when it has been there for long.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.cluster.alone import SLO_S
from benchmarks.cluster.pods import MOST, Cluster
from benchmarks.cluster.queueing import advance

TICK_S = 10
SEEN_S = 30
TICKS_UP = 3
TICKS_DOWN = 60
AFTER_REMOVAL_S = 3

Wish = Callable[[int, float, bool], int]
"""From a service's replicas, its mean latency (seconds), and whether it is too long: how many to have."""


def one_by_one(count: int, latency_s: float, above: bool) -> int:  # noqa: ARG001
    """AIAD: one more, or one fewer."""
    return count + 1 if above else count - 1


def in_proportion(count: int, latency_s: float, above: bool) -> int:  # noqa: ARG001
    """Oneshot: as many as bring the latency to the objective, were it inversely proportional."""
    return math.ceil(count * latency_s / SLO_S)


@dataclass(slots=True)
class _Side:
    """How many ticks in a row a service was on one side, and until when it is left alone."""

    above: bool = False
    ticks: int = 0
    busy_until_s: float = 0.0
    ordered: int = 1


@dataclass(slots=True)
class Reactive:
    """A policy that follows `wish` on every service of `cluster`."""

    cluster: Cluster
    wish: Wish
    every_s: int = TICK_S
    _sides: list[_Side] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sides = [_Side(ordered=service.ordered) for service in self.cluster.services]

    def act(self) -> None:
        """One tick: reductions first, then increases while the account leaves any."""
        now_s = self.cluster.now_s
        for service in self.cluster.services:
            advance(service.queue, float(now_s))
        wishes = [self._wish(k, now_s) for k in range(len(self._sides))]
        for k, count in enumerate(wishes):
            if count < self._sides[k].ordered:
                self.cluster.remove(k, self._sides[k].ordered - count)
                self._sides[k].ordered, self._sides[k].busy_until_s = count, now_s + AFTER_REMOVAL_S
        for k, count in enumerate(wishes):
            side = self._sides[k]
            left = self.cluster.limit - sum(other.ordered for other in self._sides)
            more = min(count - side.ordered, left)
            if more > 0:
                self.cluster.order(k, more)
                side.ordered += more

    def _wish(self, k: int, now_s: int) -> int:
        side, service = self._sides[k], self.cluster.services[k]
        latency_s = mean_latency_s(self.cluster, k, SEEN_S)
        above = latency_s > SLO_S
        side.ticks = side.ticks + 1 if above == side.above else 1
        side.above = above
        if side.ticks < (TICKS_UP if above else TICKS_DOWN):
            return side.ordered
        side.ticks = 0
        if service.starting or service.waiting or now_s < side.busy_until_s:
            return side.ordered
        return min(max(self.wish(side.ordered, latency_s, above), 1), MOST)


def mean_latency_s(cluster: Cluster, k: int, seen_s: int) -> float:
    """Mean latency of the requests of service `k` that ended in the last `seen_s`; 0 if none did."""
    until = cluster.now_s
    queue = cluster.services[k].queue
    ended = queue.ended[max(0, until - seen_s) : until].sum()
    return float(queue.ended_latency_s[max(0, until - seen_s) : until].sum() / ended) if ended else 0.0
