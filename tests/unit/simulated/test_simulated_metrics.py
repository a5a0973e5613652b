"""What is seen of a simulated service: demand before and after the start, latency, what is in flight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_world import START_S, A, cluster, order, service

from barista.platforms.simulated.offered import Offered
from barista.values.observation import Freshness, Reading
from barista.values.series import Demand
from barista.values.service import ServiceId


def seen(world, at_s, window_s=10.0, step_s=10.0):
    world.advance(START_S + at_s)
    given_service = service().service
    return world.observe([given_service], START_S + at_s, window_s, step_s)[A]


def test_what_is_seen_stands_for_this_moment():
    world = cluster(service(arrivals=[11, 12, 12.5, 19.6], replicas={"small": 1}))
    observation = seen(world, 20)
    assert observation.demand_rps == Reading.fresh(0.4, START_S + 20)
    assert observation.in_flight == Reading.fresh(1, START_S + 20)
    assert observation.concurrency.value == pytest.approx(0.34)
    assert observation.latency_s.value == pytest.approx(np.quantile([1, 1, 1.5], 0.95))


def test_the_latency_of_a_window_is_that_of_the_requests_answered_in_it():
    world = cluster(service(arrivals=[0, 0, 0, 0], replicas={"small": 1}))
    assert seen(world, 3.5, window_s=1).latency_s.value == pytest.approx(3)
    assert seen(world, 20).latency_s.freshness is Freshness.MISSING


def test_who_waits_is_in_flight_even_without_replicas():
    world = cluster(service(arrivals=[1, 2, 3]))
    observation = seen(world, 5)
    assert (observation.in_flight.value, observation.concurrency.value) == (3, 0)


def test_right_at_the_start_without_a_past_demand_is_missing_and_not_zero():
    assert seen(cluster(service(arrivals=[1])), 0).demand_rps.freshness is Freshness.MISSING
    assert seen(cluster(service(arrivals=[1])), 2).demand_rps.value == pytest.approx(0.5)


def test_a_delayed_source_tells_of_the_past():
    world = cluster(service(arrivals=[1, 9], replicas={"small": 1}), scrape_delay_s=5)
    observation = seen(world, 10, window_s=5)
    assert observation.demand_rps == Reading.fresh(0.2, START_S + 5)
    assert observation.in_flight.value == 0


def test_the_future_is_not_seen():
    world = cluster(service(arrivals=np.arange(0, 100, 0.5)))
    world.advance(START_S + 40)
    assert world.history([A], START_S, START_S + 100, 10)[A].end_s == START_S + 40
    later = world.observe([service().service], START_S + 100, 10, 10)[A]
    assert later.demand_rps.at_s == START_S + 40


def test_history_joins_the_given_past_and_what_came_since_on_the_step():
    past = Demand(START_S - 100, 5.0, np.repeat([1.0, np.nan, 3.0, 4.0], 5))
    world = cluster(service(arrivals=np.arange(0, 50, 0.2), past=past))
    world.advance(START_S + 30)
    history = world.history([A, ServiceId("ns/unknown")], START_S - 1000, START_S + 30, 10)
    assert list(history) == [A]
    assert history[A].start_s == START_S - 100
    nan = np.nan
    expected = [1, 1, nan, nan, nan, 3, 3, 3.5, 4, 4, 5, 5, 5]
    # The gap covers 25 s, a step and a half beyond the first ones: a step seen in part is a gap.
    np.testing.assert_allclose(history[A].values, expected)


def test_recent_demand_covers_the_window_in_whole_steps_that_are_over():
    world = cluster(service(arrivals=np.arange(0, 100)))
    recent = seen(world, 95, window_s=30, step_s=20).recent
    assert (recent.start_s % 20, recent.end_s) == (0, START_S + 80)
    np.testing.assert_allclose(recent.values, 1)
    short = seen(world, 99, window_s=2, step_s=20).recent
    assert (len(short), short.end_s) == (1, START_S + 80)


@given(st.lists(st.floats(0, 300), max_size=50).map(sorted), st.sampled_from([5.0, 7.0, 10.0]))
def test_no_request_is_lost_or_counted_twice_on_any_step(arrivals, step_s):
    offered = Offered(None, np.array(arrivals), 0.0)
    end_s = 43 * step_s
    assert offered.series(0.0, end_s, step_s).values.sum() * step_s == pytest.approx(
        sum(at < end_s for at in arrivals)
    )


def test_metrics_cost_nothing_to_the_run():
    def latencies(look):
        world = cluster(service(arrivals=np.arange(0, 60, 0.9), replicas={"small": 1}), seed=3)
        for at_s in range(60):
            world.advance(START_S + at_s)
            if look:
                seen(world, at_s)
            if at_s == 30:
                order(world, {"small": 2})
        return world.outcome(START_S, START_S + 60).services[A].latencies_s

    np.testing.assert_array_equal(latencies(True), latencies(False))
