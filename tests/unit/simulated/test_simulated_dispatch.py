"""Dispatch rules: who waits where, and that waiting grows from the central queue to mere chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.platforms.simulated.queue import FcfsQueue
from barista.values.profile import Distribution
from barista.values.service import DispatchRule

ASSIGNING = (DispatchRule.ROUND_ROBIN, DispatchRule.RANDOM, DispatchRule.TWO_CHOICES)
SECOND = Distribution.constant(1.0)
EXPONENTIAL = Distribution(
    (*(np.arange(1000) / 1000).tolist(), 1.0), (*(-np.log1p(-np.arange(1000) / 1000)).tolist(), 8.0), 1.0
)


def queue_of(arrivals, rule, replicas=2, limit=None, times=SECOND):
    luck = np.random.default_rng(1).random(len(arrivals))
    queue = FcfsQueue(np.array(arrivals, dtype=float), luck, lambda _: times, limit, rule, seed=3)
    for number in range(replicas):
        queue.join(f"r{number}", "f", 1, 0.0)
    return queue


def mean_latency(rule, load=0.7, replicas=4, n=60_000):
    arrivals = np.cumsum(np.random.default_rng(0).exponential(1 / (load * replicas), n))
    queue = queue_of(arrivals, rule, replicas, times=EXPONENTIAL)
    queue.advance(arrivals[-1] + 1e5)
    return float(np.mean(queue.latencies_s(0, math.inf)))


def test_in_turn_a_request_waits_for_its_own_replica_though_another_is_idle():
    queue = queue_of([0.0, 0.1, 0.2, 1.05], DispatchRule.ROUND_ROBIN)
    queue.advance(10)
    assert queue.latencies_s(0, 10).tolist() == pytest.approx([1, 1, 1.8, 1.05])


def test_waiting_grows_from_the_central_queue_over_two_choices_to_mere_chance():
    central, two, chance = (
        mean_latency(rule)
        for rule in (DispatchRule.LEAST_LOADED, DispatchRule.TWO_CHOICES, DispatchRule.RANDOM)
    )
    assert central < two < chance
    # By chance each replica is an M/M/1 queue of its own: 1 / (1 - load).
    assert chance == pytest.approx(1 / 0.3, rel=0.1)


@pytest.mark.parametrize("rule", ASSIGNING)
def test_who_finds_no_replica_waits_for_the_first_that_joins(rule):
    queue = queue_of([0.0, 1.0], rule, replicas=0)
    queue.advance(5)
    assert queue.in_flight(5) == 2
    queue.join("r", "f", 1, 5.0)
    queue.advance(10)
    assert queue.latencies_s(0, 10).tolist() == pytest.approx([6, 6])


@pytest.mark.parametrize("rule", ASSIGNING)
def test_a_leaving_replica_finishes_what_waits_at_it(rule):
    queue = queue_of([0.0, 0.0, 0.0], rule, replicas=1)
    queue.advance(0.5)
    assert queue.leave("r0") == 3
    queue.advance(10)
    assert queue.latencies_s(0, 10).tolist() == pytest.approx([1, 2, 3])


arrivals = st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=40).map(sorted)


@given(arrivals, st.sampled_from(ASSIGNING), st.integers(0, 3), st.floats(0, 60))
def test_every_request_is_refused_in_flight_or_done_and_no_more_wait_than_may(came, rule, limit, at_s):
    queue = queue_of(came, rule, 3, limit)
    queue.advance(at_s)
    done = int(np.count_nonzero(queue.served(-math.inf, at_s).done_s <= at_s))
    assert queue.arrived(at_s) == queue.refused(at_s) + queue.in_flight(at_s) + done
    assert queue.in_flight(at_s) <= limit + 3
