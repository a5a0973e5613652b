"""A service alone: the share of requests that miss, by replicas and rate.

What `barista profile` is for a real server: one service is played with a fixed number of replicas at a
constant rate.
"""

import numpy as np

from benchmarks.cluster.queueing import LIMIT, Floats, advance, join, queueing

SLO_S = 0.72
SERVED_RPS = 1 / 0.1543
"""What one replica serves when it is never idle (the protocol's mean service time)."""
MOST_REPLICAS = 12
STEP_RPS = 0.5
PLAYED_S = 1500.0
SURE_BELOW, LOST_ABOVE = 0.4, 3.0
"""Shares of what is served at most: below the one nothing misses; above the other the last value stands."""
TOO_MUCH, TOO_MUCH_PLAYED_S = 1.2, 300.0
"""Share of what is served at most at which the head queue's bound is judged, and for how long."""


def missed_alone(limit: int, most_rps: float, seed: int = 5) -> Floats:
    """Share that misses, shape (1 + MOST_REPLICAS, rates): row c for c replicas, column k for k x STEP_RPS.

    `limit` is the head queue's bound.
    """
    chance = np.random.default_rng(seed)
    rates = np.arange(0, most_rps + STEP_RPS, STEP_RPS)
    table = np.zeros((MOST_REPLICAS + 1, len(rates)))
    table[0] = 1.0
    for count in range(1, MOST_REPLICAS + 1):
        for k, rate in enumerate(rates):
            load = rate / (SERVED_RPS * count)
            if load > LOST_ABOVE:
                table[count, k] = 1.0
            elif load >= SURE_BELOW:
                table[count, k] = _missed(count, float(rate), limit, chance, PLAYED_S)
        # More load never helps: what says otherwise is chance.
        table[count] = np.maximum.accumulate(table[count])
    return table


def best_limit(at_least: int, seed: int = 5) -> int:
    """The head queue's bound, from `at_least` on, at which the fewest miss when too much comes.

    The mean over the numbers of replicas counts. A place more is of use until who gets it is late, and makes
    others late.
    """
    limit, missed = at_least, _missed_of_too_much(at_least, seed)
    while (longer := _missed_of_too_much(limit + 1, seed)) < missed:
        limit, missed = limit + 1, longer
    return limit


def _missed_of_too_much(limit: int, seed: int) -> float:
    chance = np.random.default_rng(seed)
    counts = range(1, MOST_REPLICAS + 1)
    rates = [TOO_MUCH * SERVED_RPS * count for count in counts]
    shares = [_missed(*at, limit, chance, TOO_MUCH_PLAYED_S) for at in zip(counts, rates, strict=True)]
    return sum(shares) / len(shares)


def _missed(count: int, rate: float, limit: int, chance: np.random.Generator, seconds: float) -> float:
    arrivals = chance.exponential(1 / rate, int(rate * seconds)).cumsum()
    queue = queueing(arrivals, chance, 1)
    queue.at[LIMIT] = limit
    for replica in range(count):
        join(queue, replica, 0.0)
    advance(queue, np.inf)
    return float((queue.refused | (queue.left_s - arrivals >= SLO_S)).mean())
