"""Requests handed to replicas under a dispatch rule, one by one: what capacity models are held against.

Compiled, so that a million requests take a moment. Under the central queue's rules it is the queue
that the simulated platform plays, to the last digit; the other rules have a queue for each replica.

How late requests are is told from how long they wait: who waits w is late with the probability that a service
time exceeds the bound less w, since no rule here looks at the request's own service time. So only waiting is
left to chance, and rates are told apart that hang on the last per mille of the service times.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numba
import numpy as np

from barista.values.profile import Distribution
from barista.values.series import FloatArray
from barista.values.service import DispatchRule, Slo

_CODES = {
    DispatchRule.LEAST_LOADED: 0,
    DispatchRule.FIRST_FREE: 0,
    DispatchRule.ROUND_ROBIN: 1,
    DispatchRule.RANDOM: 2,
    DispatchRule.TWO_CHOICES: 3,
}
MOST_IN_FLIGHT = 4096
"""At a replica; more are not counted when two replicas are compared."""
_STEPS = 256
"""Utilisations that are simulated are multiples of one part in so many; between them lateness is linear."""
_BINS, _LONGEST = 400, 40
"""Bins of the waiting times in one mean service time, and the longest that is told from longer ones."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Replicas of so many workers under a dispatch rule, met by `requests` Poisson arrivals."""

    service: Distribution
    dispatch: DispatchRule
    replicas: int
    workers: int = 1
    requests: int = 200_000

    @property
    def full_rps(self) -> float:
        """Requests/s that keep every worker busy, by the mean of what is drawn from the quantiles."""
        values_s, shares = np.array(self.service.values_s), np.diff(self.service.levels)
        return self.replicas * self.workers / float(shares @ (values_s[1:] + values_s[:-1]) / 2)

    def largest_rps(self, slo: Slo) -> float:
        """The largest rate (requests/s) at which the SLO's percentile of the requests end in time."""
        allowed = 1 - slo.percentile
        low, high = 0, _STEPS
        late = {low: float(exceeding(self.service, np.array([slo.latency_s]))[0]), high: 1.0}
        if late[low] > allowed:
            return 0.0
        while high - low > 1:
            step = (low + high) // 2
            late[step] = self._late(step, slo.latency_s)
            low, high = (step, high) if late[step] <= allowed else (low, step)
        share = (allowed - late[low]) / (late[high] - late[low])
        return (low + share) / _STEPS * self.full_rps

    def _late(self, step: int, bound_s: float) -> float:
        waited_s, weights = _waiting(self, step)
        return float(exceeding(self.service, bound_s - waited_s) @ weights)


def exceeding(service: Distribution, bounds_s: FloatArray) -> FloatArray:
    """P(S > bound) for each bound, of the same shape, with quantiles linear between their levels."""
    below: FloatArray = np.interp(bounds_s, service.values_s, service.levels, left=0.0, right=1.0)
    return 1 - below


@lru_cache(maxsize=4096)
def _waiting(queue: Queue, step: int) -> tuple[FloatArray, FloatArray]:
    """Waiting times (s) of the queue at a utilisation of `step` parts, and the share of each."""
    chance = np.random.default_rng(0)
    # Every part of the law is drawn as often as it should be, and the arrivals keep their rate.
    luck = (chance.permutation(queue.requests) + 0.5) / queue.requests
    gaps = chance.exponential(1.0, queue.requests)
    times_s = np.interp(luck, queue.service.levels, queue.service.values_s)
    mean_s = queue.service.mean_s
    arrivals_s = np.cumsum(gaps / gaps.mean() / (step / _STEPS * queue.full_rps))
    waited = waiting_s(arrivals_s, times_s, queue.dispatch, queue.replicas, queue.workers)
    waited = np.minimum(waited[queue.requests // 20 :] / mean_s, _LONGEST)
    bins = np.where(waited > 0, 1 + (waited * _BINS).astype(np.int64), 0)
    counts = np.bincount(bins)
    sums = np.bincount(bins, weights=waited)
    seen = counts > 0
    return sums[seen] / counts[seen] * mean_s, counts[seen] / len(waited)


def waiting_s(
    arrivals_s: FloatArray,
    times_s: FloatArray,
    dispatch: DispatchRule,
    replicas: int,
    workers: int = 1,
    seed: int = 0,
) -> FloatArray:
    """What each request waits (s), shape (n,), in order of arrival."""
    code = _CODES[dispatch]
    queues, servers = (1, replicas * workers) if code == 0 else (replicas, workers)
    waited_s: FloatArray = _compiled()(arrivals_s, times_s, code, queues, servers, seed)
    return waited_s


@cache
def _compiled():  # type: ignore[no-untyped-def]  # numba's dispatcher has no type
    return numba.njit(cache=True)(_play)


@numba.njit(cache=True)
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


@numba.njit(cache=True)
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
    waited_s = np.empty(len(arrivals_s))
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
        waited_s[i] = max(free_s[q, first] - now_s, 0.0)
        end_s = now_s + waited_s[i] + times_s[i]
        free_s[q, first] = end_s
        if code == 3 and held[q] < MOST_IN_FLIGHT:
            ends_s[q, held[q]] = end_s
            held[q] += 1
    return waited_s
