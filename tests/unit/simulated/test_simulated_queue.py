"""The queue's rules: who begins when, who is refused, what a leaving or changed replica still does."""

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.platforms.simulated.queue import FcfsQueue
from barista.values.profile import Distribution

TIMES_S = {"slow": Distribution.constant(4.0), "fast": Distribution.constant(1.0)}
VARYING = Distribution((0.0, 0.5, 1.0), (0.1, 0.4, 3.0), 1.0)


def queue_of(arrivals, flavors=("slow",), limit=None, workers=1):
    queue = FcfsQueue(np.array(arrivals, dtype=float), np.zeros(len(arrivals)), TIMES_S.__getitem__, limit)
    for number, flavor in enumerate(flavors):
        queue.join(f"r{number}", flavor, workers, 0.0)
    return queue


def began(queue):
    return queue.served(0.0, math.inf).began_s.tolist()


times = st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=40).map(sorted)


@given(times, st.lists(st.floats(0, 40), max_size=8), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_every_request_begins_when_kiefer_and_wolfowitz_say_however_time_is_cut(
    arrivals, cuts, workers, seed
):
    luck = np.random.default_rng(seed).random(len(arrivals))
    queue = FcfsQueue(np.array(arrivals), luck, lambda _: VARYING)
    queue.join("r", "f", workers, 0.0)
    for cut in sorted(cuts):
        queue.advance(cut)
    queue.advance(1e4)
    free, expected = [0.0] * workers, []
    for arrived_s, level in zip(arrivals, luck, strict=True):
        begin_s = max(arrived_s, heapq.heappop(free))
        heapq.heappush(free, begin_s + VARYING.quantile(level))
        expected.append(begin_s)
    assert began(queue) == pytest.approx(expected)


@given(times, st.integers(0, 3), st.floats(0, 60))
def test_every_request_is_refused_in_flight_or_done(arrivals, limit, at_s):
    queue = queue_of(arrivals, ("slow", "fast"), limit)
    queue.advance(at_s)
    done = int(np.count_nonzero(queue.served(-math.inf, at_s).done_s <= at_s))
    assert queue.arrived(at_s) == queue.refused(at_s) + queue.in_flight(at_s) + done
    assert queue.in_flight(at_s) <= limit + 2


def test_a_request_that_finds_the_queue_full_is_refused():
    queue = queue_of([0, 1, 2, 3, 4], limit=2)
    queue.advance(10)
    assert queue.refused(10) == 1  # the one at 3 s; at 4 s the first is done and a place is free
    assert began(queue) == [0, 4, 8]
    assert np.isnan(queue.latencies_s(0, 10)).tolist() == [False, False, False, True, True]


def test_without_a_place_to_wait_only_idle_workers_are_given_work():
    queue = queue_of([0, 1, 4, 5], limit=0)
    queue.advance(10)
    assert began(queue) == [0, 4]
    assert queue.refused(10) == 2


def test_who_waits_is_served_by_a_replica_that_joins_later():
    queue = queue_of([0, 0, 0])
    queue.advance(1)
    queue.join("late", "fast", 1, 1.0)
    queue.advance(10)
    assert began(queue) == [0, 1, 2]


def test_nobody_begins_without_replicas():
    queue = queue_of([0, 1], flavors=())
    queue.advance(100)
    assert (queue.in_flight(100), began(queue)) == (2, [])


def test_a_leaving_replica_finishes_what_it_works_on_and_takes_no_more():
    queue = queue_of([0, 0, 0], workers=2)
    queue.advance(1)
    assert queue.leave("r0") == 4
    queue.advance(100)
    assert began(queue) == [0, 0]


def test_a_changed_replica_works_at_its_new_pace_from_its_next_request_on():
    queue = queue_of([0, 0, 0])
    queue.advance(1)
    queue.change("r0", "fast")
    queue.advance(100)
    assert began(queue) == [0, 4, 5]


def test_luck_goes_with_the_request_and_not_with_the_replica():
    luck = np.array([0.0, 1.0, 0.5])
    alone = FcfsQueue(np.array([0.0, 100.0, 200.0]), luck, lambda _: VARYING)
    alone.join("r", "f", 1, 0.0)
    crowd = FcfsQueue(np.array([0.0, 100.0, 200.0]), luck, lambda _: VARYING)
    crowd.join("r", "f", 3, 0.0)
    for queue in (alone, crowd):
        queue.advance(1000)
        assert queue.latencies_s(0, 1000).tolist() == pytest.approx([0.1, 3.0, 0.4])
