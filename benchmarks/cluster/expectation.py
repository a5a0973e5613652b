"""The misses that a service has to expect of the next minutes, by the replicas that it will have in them.

Over the courses that its rates may take, each played as a fluid: what comes above what is served piles up, up
to what a service holds, and whoever stands behind too much of it is late.
"""

import numba

from benchmarks.cluster.alone import SERVED_RPS
from benchmarks.cluster.queueing import Floats

WAIT_BORNE_S, WAIT_LOST_S = 0.33, 0.68
"""Waiting up to the first leaves a request within its 720 ms, from the second on it is lost."""
IN_SYSTEM, PER_REPLICA = 52, 4
"""Requests that a service can hold: in the head queue and the dispatcher's hand; in a replica."""
IN_SERVICE_S = 0.17


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
        return float(table[row, last])
    return float(table[row, k] * (k + 1 - place) + table[row, k + 1] * (place - k))
