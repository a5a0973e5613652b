"""The queue against queueing theory: waits and their probability, for random and for constant service."""

import math

import numpy as np
import pytest
from simulated_world import exponential

from barista.platforms.simulated.queue import FcfsQueue
from barista.values.profile import Distribution

RUNS, REQUESTS, WARM_UP = 20, 100_000, 5_000
T_99 = 2.861  # two-sided 99 % of Student's t with 19 degrees of freedom


def waits(workers, load, distribution, seed):
    """Waits (s) in a queue with mean service time 1 s, where `load` is the share of time a worker works."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / (load * workers), REQUESTS))
    queue = FcfsQueue(arrivals, rng.random(REQUESTS), lambda _: distribution)
    for number in range(workers):
        queue.join(f"r{number}", "f", 1, 0.0)
    queue.advance(arrivals[-1] + 1e6)
    served = queue.served(0.0, math.inf)
    assert len(served.request) == REQUESTS
    return (served.began_s - served.arrived_s)[WARM_UP:]


def interval(figures):
    """Mean and half-width of its 99 % confidence interval, from independent runs."""
    return np.mean(figures), T_99 * np.std(figures, ddof=1) / math.sqrt(len(figures))


def erlang_c(workers, load):
    """Probability to wait in M/M/c (A. K. Erlang, 1917), by the recursion for Erlang B."""
    blocked = 1.0
    for n in range(1, workers + 1):
        blocked = load * workers * blocked / (n + load * workers * blocked)
    return blocked / (1 - load * (1 - blocked))


def mean_wait_constant(workers, load, states=400):
    """Mean wait in M/D/c with service time 1, exact (C. D. Crommelin, 1932).

    Whoever is worked on now is gone a service time later, and everybody else then in the system has come
    since or waited: the number in the system obeys N' = max(N - c, 0) + Poisson(λ). Its stationary
    distribution gives the mean queue, and Little's law the wait.
    """
    rate = load * workers
    come = np.exp([n * math.log(rate) - rate - math.lgamma(n + 1) for n in range(states)])
    moves = np.zeros((states, states))
    for n in range(states):
        stay = max(n - workers, 0)
        moves[n, stay:] = come[: states - stay]
    balance = np.vstack([(moves.T - np.eye(states))[:-1], np.ones(states)])
    stationary = np.linalg.solve(balance, np.append(np.zeros(states - 1), 1.0))
    return float(np.maximum(np.arange(states) - workers, 0) @ stationary) / rate


@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (3, 0.8), (10, 0.85)])
def test_exponential_service_waits_as_erlang_says(workers, load):
    runs = [waits(workers, load, exponential(), seed) for seed in range(RUNS)]
    must_wait = erlang_c(workers, load)
    share, within = interval([np.mean(wait > 1e-6) for wait in runs])
    assert within < 0.02 * must_wait
    assert share == pytest.approx(must_wait, abs=within)
    mean, within = interval([wait.mean() for wait in runs])
    expected = must_wait / (workers * (1 - load))
    assert within < 0.05 * expected
    assert mean == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (3, 0.8), (10, 0.85)])
def test_constant_service_waits_as_crommelin_says(workers, load):
    runs = [waits(workers, load, Distribution.constant(1.0), seed) for seed in range(RUNS)]
    mean, within = interval([wait.mean() for wait in runs])
    expected = mean_wait_constant(workers, load)
    assert within < 0.05 * expected
    assert mean == pytest.approx(expected, abs=within)


@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_with_one_worker_crommelin_says_what_pollaczek_and_khinchine_say(load):
    assert mean_wait_constant(1, load) == pytest.approx(load / (2 * (1 - load)), rel=1e-6)
