"""One policy on one cluster through the whole replay, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from benchmarks.cluster.alone import SLO_S
from benchmarks.cluster.pods import Cluster
from benchmarks.cluster.queueing import Floats, advance
from benchmarks.cluster.trace import MINUTE_S

TELLING = 0.99
"""The percentile of a minute's latency that its utility is counted by."""


class Policy(Protocol):
    """Changes a cluster's replicas every `every_s` seconds."""

    every_s: int

    def act(self) -> None:
        """Look and change."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """In percent of all requests, those that missed; utility lost (PROTOCOL.md); mean replicas serving."""

    miss_pct: float
    lost_utility: float
    mean_replicas: float


def replay(
    arrivals_s: list[Floats],
    limit: int,
    first: int,
    seconds: int,
    seed: int,
    policy: Callable[[Cluster], Policy | None],
) -> Outcome:
    """What comes of `policy` (None: leave all as it is) with `limit` pods and `first` replicas each."""
    cluster = Cluster(arrivals_s, limit, first, seconds, seed)
    acting = policy(cluster)
    every_s = acting.every_s if acting is not None else seconds
    for due_s in range(every_s, seconds, every_s):
        cluster.advance(due_s)
        if acting is not None:
            acting.act()
    cluster.advance(seconds)
    for service in cluster.services:
        advance(service.queue, np.inf)
    return _outcome(cluster)


def _outcome(cluster: Cluster) -> Outcome:
    missed = sent = 0
    utility = np.zeros(cluster.seconds // MINUTE_S)
    for service in cluster.services:
        queue = service.queue
        latency_s = np.where(queue.refused, np.inf, queue.left_s - queue.arrivals_s)
        missed += int((latency_s >= SLO_S).sum())
        sent += len(latency_s)
        minutes = np.searchsorted(queue.arrivals_s, np.arange(len(utility) + 1) * MINUTE_S)
        for minute, (first, last) in enumerate(pairwise(minutes)):
            # An order statistic: between a finite and an infinite latency there is no middle.
            told = (
                np.sort(latency_s[first:last])[int(np.ceil(TELLING * (last - first))) - 1]
                if last > first
                else 0.0
            )
            utility[minute] += min(1.0, SLO_S / told) if told > 0 else 1.0
    return Outcome(
        miss_pct=100 * missed / max(sent, 1),
        lost_utility=len(cluster.services) - float(utility.mean()),
        mean_replicas=cluster.replica_seconds / cluster.seconds,
    )
