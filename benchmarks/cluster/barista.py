"""Barista on the shared cluster: every five seconds, the division with the fewest misses to be expected.

It sees what was sent and what is in flight up to a second ago. What is taken from one service serves another
only after some seventy seconds, so it moves replicas for the minutes after that, and keeps still where little
is gained.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np

from barista.plan.division import divide
from benchmarks.cluster.alone import STEP_RPS
from benchmarks.cluster.expectation import expected_misses
from benchmarks.cluster.outlook import Outlook
from benchmarks.cluster.pods import IN_IDLE_POD_S, IN_NEW_POD_S, Cluster, Service
from benchmarks.cluster.queueing import HEAD_LIMIT, LIMIT, Floats, advance

EVERY_S = 5
STEP_S = 5.0
STEPS = 36
"""Three minutes ahead: what comes later can still be seen to later."""
MOVED_S = 75
"""Until what is taken from one service serves another: its pod is kept idle, then a new one starts."""
A_MOVE_COSTS = 5.0
"""Misses that a replica more or less must save: forecasts change their minds."""
MOST = 10

Sight = Callable[[int, int, float], Outlook]
"""What rates come: seen at a moment, for a number of steps, of so many seconds."""


@dataclass(slots=True)
class Barista:
    """Runs `cluster` by what `sight` sees; `table` is the share that misses by replicas and rate.

    The head queues' bound is set to `head_limit`: to another than HEAD_LIMIT only in a class of its own.
    """

    cluster: Cluster
    sight: Sight
    table: Floats
    head_limit: int = HEAD_LIMIT
    every_s: int = EVERY_S

    def __post_init__(self) -> None:
        for service in self.cluster.services:
            service.queue.at[LIMIT] = self.head_limit

    def act(self) -> None:
        """Look, divide, move."""
        cluster = self.cluster
        for service in cluster.services:
            advance(service.queue, cluster.now_s - 1.0)
        outlook = self.sight(cluster.now_s, STEPS, STEP_S)
        free = max(0, cluster.limit - cluster.pods)
        cost = np.array(
            [
                _costs(
                    self.table,
                    self.head_limit == HEAD_LIMIT,
                    float(service.queue.in_flight),
                    _ready(service, cluster.now_s),
                    service.ordered,
                    len(service.idle),
                    free,
                    outlook.rates[k],
                    outlook.weights[k],
                )
                for k, service in enumerate(cluster.services)
            ]
        )
        wanted = divide(cost, cluster.limit)
        changes = [int(w) - service.ordered for w, service in zip(wanted, cluster.services, strict=True)]
        for k, change in enumerate(changes):
            if change < 0:
                cluster.remove(k, -change)
        for k, change in enumerate(changes):
            if change > 0:
                cluster.order(k, change)


def _ready(service: Service, now_s: int) -> Floats:
    """Replicas that serve in each step, if nothing is changed."""
    ready = np.full(STEPS, float(len(service.serving)))
    waits_s = [s - now_s for s in service.starting] + [IN_NEW_POD_S + EVERY_S] * len(service.waiting)
    for wait_s in waits_s:
        ready[int(max(wait_s, 0) // STEP_S) :] += 1
    return ready


@numba.njit(cache=True)
def _costs(
    table: Floats,
    fills: bool,
    in_flight: float,
    ready: Floats,
    ordered: int,
    idle: int,
    free: int,
    rates: Floats,
    weights: Floats,
) -> Floats:
    """Misses to be expected, and what the moves cost, with each number of replicas from 1."""
    costs = np.full(MOST + 1, np.inf)
    for count in range(1, MOST + 1):
        then = ready.copy()
        if count < ordered:
            then = np.minimum(then, float(count))
        else:
            quick = min(count - ordered, idle)
            fresh = min(count - ordered - quick, free)
            then[int(IN_IDLE_POD_S // STEP_S) + 1 :] += quick
            then[int(IN_NEW_POD_S // STEP_S) :] += fresh
            then[int(MOVED_S // STEP_S) :] += count - ordered - quick - fresh
        then = np.maximum(then, 1.0)
        missed = expected_misses(table, STEP_RPS, fills, in_flight, then, rates, weights, STEP_S)
        costs[count] = missed + A_MOVE_COSTS * abs(count - ordered)
    return costs
