"""Stories of replicas in a simulated cluster: set up, changed in place, drained, leased, out of room."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_world import START_S, A, B, cluster, decision, order, phases, service

from barista.values.profile import Distribution
from barista.values.service import Authority, DispatchRule


def used(world, until_s, name=A):
    return world.outcome(START_S, START_S + until_s).services[name]


def test_a_replica_serves_once_it_is_set_up():
    world = cluster(service(arrivals=[0, 1]))
    assert order(world, {"small": 1}).ok
    assert phases(world) == [("small", "starting", 20)]
    world.advance(START_S + 19)
    assert phases(world)[0][1] == "starting"
    world.advance(START_S + 30)
    assert phases(world) == [("small", "ready", 20)]
    assert used(world, 30).latencies_s.tolist() == pytest.approx([21, 21])


def test_a_replica_told_to_stop_finishes_its_work_and_is_paid_until_then():
    world = cluster(service(arrivals=[9.5, 9.6], replicas={"small": 2}))
    world.advance(START_S + 10)
    order(world, {})
    assert [phase for _, phase, _ in phases(world)] == ["draining", "draining"]
    world.advance(START_S + 100)
    assert phases(world) == []
    assert used(world, 100).latencies_s.tolist() == pytest.approx([1, 1])
    assert used(world, 100).replica_seconds["small"] == pytest.approx(10.5 + 10.6)


def test_an_idle_or_starting_replica_is_gone_at_once():
    world = cluster(service(replicas={"small": 1}))
    order(world, {"small": 2})
    world.advance(START_S + 5)
    order(world, {})
    assert phases(world) == []
    world.advance(START_S + 100)
    assert used(world, 100).replica_seconds == {"small": pytest.approx(10)}


def test_those_that_do_not_serve_yet_leave_first():
    world = cluster(service(replicas={"small": 1}))
    order(world, {"small": 3})
    world.advance(START_S + 5)
    order(world, {"small": 1})
    assert phases(world) == [("small", "ready", 0)]


def test_a_replica_stopped_before_its_lease_ends_is_paid_until_then():
    world = cluster(service(replicas={"small": 1}, lease_s=60))
    world.advance(START_S + 10)
    order(world, {})
    assert phases(world) == []
    world.advance(START_S + 100)
    assert used(world, 30).replica_seconds["small"] == pytest.approx(30)
    assert used(world, 100).replica_seconds["small"] == pytest.approx(60)


def test_those_whose_lease_is_over_leave_first():
    world = cluster(service(replicas={"small": 1}, lease_s=60))
    world.advance(START_S + 50)
    order(world, {"small": 2})
    world.advance(START_S + 65)
    order(world, {"small": 1})
    assert phases(world) == [("small", "starting", 70)]


def test_a_replica_changes_in_place_at_once_without_a_set_up():
    world = cluster(service(arrivals=[9.5, 9.6, 20], replicas={"small": 1}))
    world.advance(START_S + 10)
    assert order(world, {"big": 1}).ok
    assert phases(world) == [("big", "ready", 0)]
    world.advance(START_S + 36)
    run = used(world, 36)
    assert run.latencies_s.tolist() == pytest.approx([1.0, 1.4, 0.5])
    assert run.replica_seconds == {"small": pytest.approx(10), "big": pytest.approx(26)}
    assert run.cost == pytest.approx((10 * 36 + 26 * 72) / 3600)
    assert run.cold_starts == 0


def test_an_order_without_room_waits_until_another_service_leaves():
    world = cluster(service(A), service(B, replicas={"big": 2}), cpu=4)
    order(world, {"small": 1})
    assert phases(world) == [("small", "starting", None)]
    world.advance(START_S + 50)
    assert used(world, 50).replica_seconds == {}
    order(world, {"big": 1}, B)
    assert phases(world) == [("small", "starting", 70)]
    world.advance(START_S + 70)
    assert phases(world) == [("small", "ready", 70)]
    assert used(world, 70).cold_starts == 1


def test_room_is_free_when_the_last_request_of_a_leaving_replica_is_done():
    busy = service(B, arrivals=[0], replicas={"big": 1}, times={"big": 30.0})
    world = cluster(service(A), busy, cpu=2)
    world.advance(START_S + 10)
    order(world, {}, B)
    order(world, {"small": 1})
    assert phases(world) == [("small", "starting", None)]
    world.advance(START_S + 40)
    assert phases(world) == [("small", "starting", 50)]


def test_growth_in_place_without_room_does_not_happen_and_is_reported():
    world = cluster(service(replicas={"small": 2}), cpu=3)
    applied = order(world, {"big": 2})
    assert not applied.ok
    assert "no room" in applied.text
    assert sorted(flavor for flavor, _, _ in phases(world)) == ["big", "small"]


def test_advice_changes_nothing():
    world = cluster(service(replicas={"small": 1}))
    assert order(world, {"small": 5}, authority=Authority.ADVISE).ok
    assert len(phases(world)) == 1


def test_a_decision_about_a_service_it_does_not_host_is_reported():
    world = cluster(service(A, replicas={"small": 1}))
    (applied,) = world.apply([replace(decision(world, {"small": 2}), service=B)])
    assert (applied.service, applied.ok) == (B, False)
    assert len(phases(world)) == 1


def test_set_up_times_vary_as_measured_and_repeat_with_the_seed():
    setup = Distribution((0.0, 1.0), (10.0, 30.0), 20.0)

    def ready(seed, *others):
        world = cluster(service(setup=setup), *others, seed=seed)
        order(world, {"small": 50})
        return [at_s for _, _, at_s in phases(world)]

    assert ready(1) == ready(1) != ready(2)
    assert ready(1) == ready(1, service(B))
    assert 10 <= min(ready(1)) < 15
    assert 25 < max(ready(1)) <= 30


def test_more_workers_serve_more_requests_at_once():
    world = cluster(service(arrivals=[0, 0, 0], replicas={"small": 1}, workers=2))
    world.advance(START_S + 10)
    assert used(world, 10).latencies_s.tolist() == pytest.approx([1, 1, 2])


def test_requests_go_to_whoever_is_free_first():
    assert cluster(service()).dispatch_rule(A) is DispatchRule.LEAST_LOADED


def test_late_refused_and_unanswered_requests_are_violations():
    arrivals = [0, 0, 0, 0, 9.9]
    world = cluster(service(arrivals=arrivals, replicas={"small": 1}), queue_limit=2)
    world.advance(START_S + 9.9)
    order(world, {})
    world.advance(START_S + 10)
    run = used(world, 10)
    assert (run.requests, run.refused, run.violations) == (5, 1, 2)  # latencies 1, 2 and 3 s; the SLO is 2 s
    assert run.slo_violation_ratio == pytest.approx(0.4)
    assert run.p50_s == pytest.approx(1.5)
    assert world.outcome(START_S, START_S + 10).slo_violation_ratio == pytest.approx(0.4)


def test_without_requests_there_is_no_ratio_and_no_percentile():
    world = cluster(service())
    world.advance(START_S + 10)
    assert (used(world, 10).slo_violation_ratio, used(world, 10).p99_s) == (None, None)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: service(arrivals=[2, 1]), "ns/a: arrivals_s must be"),
        (lambda: service(arrivals=[np.nan]), "ns/a: arrivals_s must be"),
        (lambda: service(replicas={"tiny": 1}), "ns/a: no profile on flavor 'tiny'.*known: big, gpu, small"),
        (lambda: cluster(service(arrivals=[-1])), "ns/a: arrivals before the start"),
        (lambda: cluster(service(replicas={"gpu": 2})), "pool 'gpu': too small"),
    ],
)
def test_a_world_that_cannot_be_is_refused_with_its_mend(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
