"""Allocation: which service gets how many of a fixed total of replicas, by what misses if it does.

For each service and each number of replicas the misses of the next minutes are expected: with the replicas
as they will be (what is taken away is gone at once, what is added serves later), over the courses that the
rates may take. The numbers with the fewest misses in all are found exactly, by dynamic programming over the
services: misses are no convex function of replicas, so taking the best replica first would not do.
"""

import numba
import numpy as np

from benchmarks.cluster.alone import SERVED_RPS
from benchmarks.cluster.queueing import Floats, Ints

WAIT_BORNE_S, WAIT_LOST_S = 0.33, 0.68
"""Waiting up to the first leaves a request within its 720 ms, from the second on it is lost."""
IN_SYSTEM, PER_REPLICA = 52, 4
"""Requests that a service can hold: in the head queue and the dispatcher's hand; in a replica."""
IN_SERVICE_S = 0.17
NEVER = 1e18


@numba.njit(cache=True)
def expected_misses(
    table: Floats,
    table_rps: float,
    fills: bool,
    in_flight: float,
    ready: Floats,
    rates: Floats,
    weights: Floats,
    step_s: float,
) -> float:
    """Misses over the steps of `ready` (replicas) and `rates` (courses, steps) from `in_flight` requests on.

    `table` is the share that misses by replicas and rate (in steps of `table_rps`) when nothing has piled up;
    `fills` says whether requests can pile up.
    """
    misses = 0.0
    for course in range(rates.shape[0]):
        inside, lost = in_flight, 0.0
        for step in range(rates.shape[1]):
            count, rate = int(ready[step]), rates[course, step]
            served_rps = SERVED_RPS * count
            share = _between(table, count, rate / table_rps)
            if fills:
                waiting_s = (inside - count) / served_rps
                late = min(1.0, max(0.0, (waiting_s - WAIT_BORNE_S) / (WAIT_LOST_S - WAIT_BORNE_S)))
                share = max(late, share) if rate < served_rps else late
                piled = inside + (rate - served_rps) * step_s
                inside = min(IN_SYSTEM + PER_REPLICA * count, max(rate * IN_SERVICE_S, piled))
            lost += rate * step_s * share
        misses += weights[course] * lost
    return misses


@numba.njit(cache=True)
def _between(table: Floats, row: int, place: float) -> float:
    last = table.shape[1] - 1
    k = int(place)
    if k >= last:
        return table[row, last]
    return table[row, k] * (k + 1 - place) + table[row, k + 1] * (place - k)


@numba.njit(cache=True)
def split(cost: Floats, total: int) -> Ints:
    """How many of `total` each service gets, at least 1, at the least sum of ``cost[service, count]``."""
    services, counts = cost.shape
    best = np.full((services + 1, total + 1), NEVER)
    chosen = np.zeros((services + 1, total + 1), np.int64)
    best[0, 0] = 0.0
    for service in range(services):
        for used in range(total + 1):
            if best[service, used] >= NEVER:
                continue
            for count in range(1, min(counts - 1, total - used) + 1):
                value = best[service, used] + cost[service, count]
                if value < best[service + 1, used + count]:
                    best[service + 1, used + count] = value
                    chosen[service + 1, used + count] = count
    out = np.zeros(services, np.int64)
    used = int(np.argmin(best[services]))
    for service in range(services, 0, -1):
        out[service - 1] = chosen[service, used]
        used -= out[service - 1]
    return out
