"""Rivals that give each service a count: their rules, stories over time, and what they do when blind."""

from dataclasses import replace

import pytest
from policies_views import RULES, SERVICE, A, decided, replicas, situation, watched

from barista.policies import POLICIES, PolicyError, make_policy
from barista.policies.hpa import desired
from barista.policies.knobs import KNOBS
from barista.values.observation import Reading


def made(name, service=SERVICE, **options):
    return make_policy(name, options, watched(service), RULES)


def seen(at_s, ready, busy=None, latency_s=None, starting=0):
    """A look at a service with `ready` replicas, `busy` of them, and this latency."""
    look = situation(at_s, 0.0, replicas(ready, starting, "big"), SERVICE, busy)
    if latency_s is None:
        return look
    (view,) = look.services
    observed = replace(view.observation, latency_s=Reading.fresh(latency_s, at_s))
    return replace(look, services=(replace(view, observation=observed),))


def count(policy, look):
    return decided(policy, look).final["big"]


@pytest.mark.parametrize(
    ("busy", "ready", "current", "pods"),
    [
        (5.0, 10, 10, 10),  # at the target
        (5.4, 10, 10, 10),  # within a tenth of it
        (5.6, 10, 10, 12),
        (4.4, 10, 10, 9),
        (0.0, 10, 10, 0),
        (9.0, 5, 5, 10),  # all are busy: a share cannot pass one, so it can only double
        (4.0, 4, 8, 8),  # those that start count as idle
        (4.0, 4, 5, 8),
        (1.0, 4, 8, 2),  # going down, they do not count
        (3.0, 0, 2, 2),  # none ready: no figure to go by
    ],
)
def test_the_hpa_scales_by_utilisation_over_target(busy, ready, current, pods):
    assert desired(busy, ready, current, 0.5) == pods


def test_the_hpa_goes_down_only_when_five_minutes_wanted_no_more():
    policy = made("hpa", target_utilisation=0.5)
    assert count(policy, seen(0, 4, busy=3.0)) == 6
    assert count(policy, seen(15, 6, busy=1.0)) == 6
    assert count(policy, seen(299, 6, busy=1.0)) == 6
    assert count(policy, seen(301, 6, busy=1.0)) == 2


def test_aiad_adds_or_takes_one():
    policy = made("aiad", low=0.5)
    assert count(policy, seen(0, 3, latency_s=0.6)) == 4
    assert count(policy, seen(0, 3, latency_s=0.4)) == 3
    assert count(policy, seen(0, 3, latency_s=0.2)) == 2
    assert count(policy, seen(0, 1, latency_s=0.2)) == 1


def test_oneshot_scales_by_latency_over_objective():
    assert count(made("oneshot"), seen(0, 3, latency_s=0.6)) == 4
    assert count(made("oneshot"), seen(0, 3, latency_s=0.1)) == 1
    assert count(made("oneshot", target=0.5), seen(0, 3, latency_s=0.6)) == 8


def test_a_schedule_follows_the_clock_of_its_zone():
    policy = made("schedule", counts={"08:00": 6, "20:00": 2}, time_zone="Europe/Berlin", factor=1.5)
    by_hour = {hour: count(policy, seen(hour * 3600.0, 1)) for hour in (0, 6, 7, 18, 19)}
    assert by_hour == {0: 3, 6: 3, 7: 9, 18: 9, 19: 3}  # 7 h UTC is 8 h there


def test_fair_share_splits_its_total_equally_and_leaves_the_rest():
    other = replace(SERVICE, id=type(A)("ns/b"))
    policy = make_policy("fair-share", {"total": 7}, watched(SERVICE, other), RULES)
    assert count(policy, seen(0, 1)) == 3


@pytest.mark.parametrize("name", ["hpa", "aiad", "oneshot"])
def test_without_a_figure_the_replicas_stay(name):
    decision = decided(made(name), seen(0, 3))
    assert decision.final == {"big": 3}
    assert "missing: hold" in decision.reasons[0].text


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("hpa", {"target_utilisation": 0}, "target_utilisation"),
        ("schedule", {"counts": {}}, "counts"),
        ("schedule", {"counts": {"08:00": 1}, "time_zone": "Nowhere"}, "time_zone"),
        ("fair-share", {}, "total"),
        ("aiad", {"low": 1}, "low"),
        ("oneshot", {"flavor": "none"}, "none of ns/a's"),
    ],
)
def test_a_bad_option_is_named(name, options, words):
    with pytest.raises(PolicyError, match=words):
        made(name, **options)


NEEDED = {"static": {"counts": {A: 1}}, "schedule": {"counts": {"00:00": 1}}}


@pytest.mark.parametrize("name", sorted(KNOBS.keys() & {*POLICIES}))
def test_every_value_of_a_knob_is_taken(name):
    for value in KNOBS[name].values:
        assert made(name, **NEEDED.get(name, {}), **{KNOBS[name].option: value}).name == name
