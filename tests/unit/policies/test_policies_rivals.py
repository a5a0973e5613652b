"""Rivals on a situation: their flavor, their counts, their bounds, and what they do when blind."""

from dataclasses import replace

import pytest
from policies_views import RULES, SERVICE, SETUP_S, A, decided, replicas, situation, watched

from barista.policies import POLICIES, PolicyError, make_policy
from barista.values.decision import Horizontal, Memory, Vertical


def kpa(service=SERVICE, **options):
    return make_policy("kpa", options, watched(service), RULES)


def static(service=SERVICE, **options):
    return make_policy("static", options, watched(service), RULES)


def test_the_kpa_asks_for_in_flight_over_seventy_percent_of_the_concurrency():
    service = replace(SERVICE, concurrency=4)
    decision = decided(kpa(service), situation(0, 11, replicas(4), service))
    assert decision.final == {"big": 4}  # 11 over 2.8


def test_the_kpa_uses_the_largest_flavor_of_the_cheapest_family_and_changes_to_it_in_place():
    decision = decided(kpa(), situation(100, 1.2, replicas(1)))
    assert decision.raw == decision.bounded == decision.final == {"big": 2}
    assert decision.changes == (Vertical("small", "big", 1), Horizontal("big", 1, 2))
    assert decision.ready_at_s == 100 + SETUP_S
    assert decision.current == {"small": 1}


def test_a_flavor_can_be_named():
    assert decided(kpa(flavor="gpu"), situation(0, 0.5, replicas(1))).final == {"gpu": 1}


def test_where_no_flavor_meets_the_slo_the_cheapest_family_stands_in():
    slow = replace(SERVICE, slo=replace(SERVICE.slo, latency_s=0.001))
    assert decided(kpa(slow), situation(0, 0.5, replicas(1), slow)).final == {"big": 1}


@pytest.mark.parametrize(
    ("least", "to_zero", "expected"),
    [(0, False, {"big": 1}), (0, True, {}), (1, True, {"big": 1}), (3, False, {"big": 3})],
)
def test_idle_the_kpa_goes_to_the_least_that_is_allowed(least, to_zero, expected):
    service = replace(SERVICE, min_replicas=least)
    policy = kpa(service, scale_to_zero=to_zero)
    # In use for a stable window, then idle for the grace period.
    last = [decided(policy, situation(at_s, 0.0, replicas(1), service)) for at_s in range(0, 94, 2)][-1]
    assert last.final == expected


@pytest.mark.parametrize(
    ("in_service", "in_flight", "ready", "pods"),
    [
        (None, 2.0, 2, 3),  # no average known: the moment's figure
        (1.3, 2.0, 2, 2),  # nobody waits: the average alone counts
        (2.0, 5.0, 2, 8),  # three wait
    ],
)
def test_the_kpa_counts_the_mean_in_service_and_who_waits(in_service, in_flight, ready, pods):
    seen = situation(0, in_flight, replicas(ready, flavor="big"), in_service=in_service)
    assert decided(kpa(), seen).final == {"big": pods}


def test_what_the_services_bounds_took_away_is_said():
    decision = decided(kpa(), situation(0, 50.0, replicas(1)))
    assert (decision.raw, decision.final) == ({"big": 72}, {"big": 10})
    assert decision.binding == ("service bounds",)
    assert "panic" in decision.reasons[0].text


@pytest.mark.parametrize(
    ("in_flight", "held", "why"),
    [(None, replicas(2), "in flight is missing"), (3.0, None, "platform does not say")],
)
def test_blind_a_rival_holds(in_flight, held, why):
    decision = decided(kpa(), situation(0, in_flight, held))
    assert decision.changes == ()
    assert decision.final == decision.current
    assert why in decision.reasons[0].text


def test_looks_that_come_off_the_second_count_no_second_twice():
    policy = kpa()
    looks = [0.0, 2.03, 3.98, 6.0, 7.99, 10.02, 11.98, 14.01]
    decisions = [decided(policy, situation(at_s, 7.0, replicas(10), in_service=7.0)) for at_s in looks]
    assert {decision.final["big"] for decision in decisions} == {10}


def test_ready_pods_and_not_ordered_ones_bound_how_fast_the_kpa_lets_go():
    policy = kpa()
    assert decided(policy, situation(0, 0.0, replicas(ready=1, starting=7))).final == {"big": 1}


@pytest.mark.parametrize(("scale", "tick_s"), [(1, 2), (0.25, 0.5)])
def test_compressed_time_shortens_windows_and_ticks(scale, tick_s):
    policy = kpa(time_scale=scale)
    assert policy.tick_s == tick_s
    decided(policy, situation(0, 7.0, replicas(1)))
    after = 60 * scale + 0.1  # the burst has left the stable window, the panic is over
    assert decided(policy, situation(after, 0.0, replicas(10, flavor="big"))).final == {"big": 5}


def test_static_holds_the_counts_it_was_told_whatever_is_seen():
    policy = static(counts={A: 3}, flavor="small")
    for in_flight in (0.0, 500.0, None):
        assert decided(policy, situation(0, in_flight, replicas(1))).final == {"small": 3}


def test_static_is_enough_for_the_stated_peak():
    decision = decided(static(peak_rps={A: 100}), situation(0, 0.0, replicas(0)))
    assert decision.final == {"big": 7}  # eight requests of 60 ms fit into 500 ms: 16 a second
    assert "peak of 100" in decision.reasons[0].text


def test_static_says_when_the_most_replicas_are_fewer_than_the_peak_needs():
    decision = decided(static(peak_rps={A: 1000}), situation(0, 0.0, replicas(0)))
    assert decision.final == {"big": 10}
    assert "fewer than" in decision.reasons[0].text


def test_static_leaves_alone_what_it_cannot_see():
    assert decided(static(counts={A: 3}), situation(0, 0.0, None)).changes == ()


def test_the_memory_of_barista_is_passed_on_untouched():
    seen = situation(0, 0.0, replicas(1))
    passed = kpa().decide(seen, Memory({}, cycles=4)).memory
    assert passed == Memory({}, cycles=5)


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("hpa2", {}, "policy 'hpa2': no such rival; known: kpa, static"),
        ("kpa", {"flavour": "big"}, "policy 'kpa': option flavour: .*it takes flavor, time_scale"),
        ("kpa", {"flavor": "tiny"}, "'tiny' is none of ns/a's; it has small, big, gpu"),
        ("kpa", {"time_scale": 0}, "policy 'kpa': option time_scale"),
        ("static", {}, "ns/a: give its replicas in option counts"),
        ("static", {"counts": {"ns/b": 1}}, "no such service: ns/b; known: ns/a"),
        ("static", {"counts": {"ns/a": -1}}, "option counts.ns/a"),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_mend(name, options, complaint):
    with pytest.raises(PolicyError, match=complaint):
        make_policy(name, options, watched(), RULES)


def test_every_known_rival_can_be_made():
    options = {"static": {"counts": {A: 1}}, "schedule": {"counts": {"00:00": 1}}, "fair-share": {"total": 1}}
    made = [make_policy(name, options.get(name, {}), watched(), RULES) for name in POLICIES]
    assert tuple(policy.name for policy in made) == POLICIES
