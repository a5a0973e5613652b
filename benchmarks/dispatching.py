"""Requests handed to replicas under a dispatch rule, one by one: what capacity models are held against.

Compiled, so that a million requests take a moment. Under the central queue's rules it is the queue
that the simulated platform plays, to the last digit; the other rules have a queue for each replica.
"""

from functools import cache

import numba
import numpy as np

from barista.values.series import FloatArray
from barista.values.service import DispatchRule

_CODES = {
    DispatchRule.LEAST_LOADED: 0,
    DispatchRule.FIRST_FREE: 0,
    DispatchRule.ROUND_ROBIN: 1,
    DispatchRule.RANDOM: 2,
    DispatchRule.TWO_CHOICES: 3,
}
MOST_IN_FLIGHT = 4096
"""At a replica; more are not counted when two replicas are compared."""
_ROUNDS = 14
"""Halvings of the search for the largest rate: to a hundredth of a per cent."""


def largest_rps(
    times_s: FloatArray,
    slo_s: float,
    percentile: float,
    dispatch: DispatchRule,
    replicas: int,
    workers: int = 1,
    seed: int = 0,
) -> float:
    """The largest Poisson rate (requests/s) at which `percentile` of the requests end within `slo_s`.

    `times_s`, shape (n,), are the requests' service times; every rate meets the same chances.
    """
    gaps = np.random.default_rng(seed).exponential(1.0, len(times_s))
    full = replicas * workers / float(times_s.mean())
    below, above = 0.0, full
    for _ in range(_ROUNDS):
        rate = (below + above) / 2
        took_s = sojourn_s(np.cumsum(gaps / rate), times_s, dispatch, replicas, workers, seed)
        within = np.mean(took_s[len(took_s) // 10 :] <= slo_s)
        below, above = (rate, above) if within >= percentile else (below, rate)
    return below


def sojourn_s(
    arrivals_s: FloatArray,
    times_s: FloatArray,
    dispatch: DispatchRule,
    replicas: int,
    workers: int = 1,
    seed: int = 0,
) -> FloatArray:
    """Waiting and service of each request (s), shape (n,), in order of arrival."""
    code = _CODES[dispatch]
    queues, servers = (1, replicas * workers) if code == 0 else (replicas, workers)
    return _compiled()(arrivals_s, times_s, code, queues, servers, seed)


@cache
def _compiled():  # type: ignore[no-untyped-def]  # numba's dispatcher has no type
    return numba.njit(cache=True)(_play)


@numba.njit(cache=True)  # type: ignore[misc]  # untyped decorator
def _in_flight(ends_s, held, replica, now_s):  # type: ignore[no-untyped-def]  # compiled
    """How many requests `replica` works on or keeps waiting at `now_s`; the ended ones are forgotten."""
    k = 0
    while k < held[replica]:
        if ends_s[replica, k] <= now_s:
            held[replica] -= 1
            ends_s[replica, k] = ends_s[replica, held[replica]]
        else:
            k += 1
    return held[replica]


@numba.njit(cache=True)  # type: ignore[misc]  # untyped decorator
def _less_busy(ends_s, held, now_s):  # type: ignore[no-untyped-def]  # compiled
    """The less busy of two replicas drawn at random; the first drawn among equals."""
    replicas = len(held)
    one = np.random.randint(replicas)
    if replicas == 1:
        _in_flight(ends_s, held, one, now_s)
        return one
    other = np.random.randint(replicas - 1)
    if other >= one:
        other += 1
    fewer = _in_flight(ends_s, held, other, now_s) < _in_flight(ends_s, held, one, now_s)
    return other if fewer else one


def _play(arrivals_s, times_s, code, queues, servers, seed):  # type: ignore[no-untyped-def]  # compiled
    np.random.seed(seed)
    took_s = np.empty(len(arrivals_s))
    free_s = np.zeros((queues, servers))
    ends_s, held = np.full((queues, MOST_IN_FLIGHT), np.inf), np.zeros(queues, dtype=np.int64)
    for i in range(len(arrivals_s)):
        now_s, q = arrivals_s[i], 0
        if code == 1:
            q = i % queues
        elif code == 2:
            q = np.random.randint(queues)
        elif code == 3:
            q = _less_busy(ends_s, held, now_s)
        first = 0
        for k in range(1, servers):
            if free_s[q, k] < free_s[q, first]:
                first = k
        end_s = max(now_s, free_s[q, first]) + times_s[i]
        free_s[q, first] = end_s
        took_s[i] = end_s - now_s
        if code == 3 and held[q] < MOST_IN_FLIGHT:
            ends_s[q, held[q]] = end_s
            held[q] += 1
    return took_s
