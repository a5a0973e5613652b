"""Capacity by queueing: exact where it is known, right beside simulated queues, and never surprising."""

import math
from dataclasses import replace

import numpy as np
import pytest
from core_world import PROFILES
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.capacity.exponential import central_wait, in_turn_wait
from barista.capacity.make import NAMES, capacity_model
from barista.capacity.renewal import renewal
from barista.capacity.shape import ServiceTime, Shape
from barista.capacity.two_choices import added
from barista.capacity.waiting import FIXED
from barista.capacity.walk import walk_tail
from barista.platforms.simulated.queue import FcfsQueue
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.service import DispatchRule, Slo
from benchmarks.dispatching import Queue, waiting_s

RULES = tuple(DispatchRule)
MGC = capacity_model("mgc")


def profile(times: Distribution, workers: int = 1) -> ExecutionProfile:
    return replace(PROFILES["small"], service_time=times, workers=workers)


def log_normal(cv: float, mean_s: float = 1.0) -> Distribution:
    sigma = math.sqrt(math.log1p(cv**2))
    draws = np.random.default_rng(5).standard_normal(8000)
    return Distribution.of(mean_s * np.exp(sigma * draws - sigma**2 / 2))


def test_one_replica_with_exponential_service_keeps_the_textbook_rate() -> None:
    # M/M/1: the stay is exponential with the rate mu - lambda.
    for slo_s, percentile in ((5.0, 0.95), (10.0, 0.99), (4.0, 0.9)):
        found = capacity_model("mmc").rps(
            profile(Distribution.constant(1.0)), Slo(slo_s, percentile), DispatchRule.RANDOM, 1
        )
        assert found == pytest.approx(1 + math.log(1 - percentile) / slo_s, rel=0.02)


def test_erlangs_formula_gives_its_tabulated_values() -> None:
    assert central_wait(1, 0.7).delayed == pytest.approx(0.7)
    assert central_wait(2, 0.5).delayed == pytest.approx(1 / 3)
    assert central_wait(10, 0.8).delayed == pytest.approx(0.409, abs=1e-3)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_one_replica_taken_in_turn_is_a_central_queue(workers: int) -> None:
    alone, central = in_turn_wait(1, workers, 0.8), central_wait(workers, 0.8)
    assert (alone.delayed, alone.rate) == pytest.approx((central.delayed, central.rate), rel=1e-4)


@pytest.mark.parametrize("utilisation", [0.3, 0.7, 0.95])
def test_fixed_service_waits_as_pollaczek_and_khinchine_say(utilisation: float) -> None:
    times, tail = walk_tail(FIXED, 1, utilisation)
    area = float(np.trapezoid(tail, times) if hasattr(np, "trapezoid") else np.trapz(tail, times))
    mean = area + times[0] * (1 + tail[0]) / 2 * utilisation
    assert mean == pytest.approx(utilisation / (2 * (1 - utilisation)), rel=0.03)
    # Within the first service time the distribution is known in closed form (Erlang 1909).
    within = float(np.interp(0.5, times, tail))
    assert within == pytest.approx(1 - (1 - utilisation) * math.exp(utilisation / 2), rel=0.02)


@pytest.mark.parametrize("cv", [0.3, 1.0])
def test_one_server_waits_the_same_by_renewal_and_by_random_walk(cv: float) -> None:
    service = ServiceTime.of(log_normal(cv), Shape.MEASURED, 3.0)
    times, walked = walk_tail(service, 1, 0.7)
    renewed = renewal(service, 1, 20.0)
    at = np.linspace(0.1, 15, 40)
    tail = 0.7 * np.interp(at, renewed.times, renewed.tail(0.7))
    assert tail == pytest.approx(np.interp(at, times, walked), rel=0.02, abs=1e-4)


def test_exponential_service_waits_by_renewal_as_erlang_says() -> None:
    service = ServiceTime.of(Distribution.constant(1.0), Shape.EXPONENTIAL, 3.0)
    found, wait = renewal(service, 4, 5.0), central_wait(4, 0.8)
    assert found.tail(0.8) == pytest.approx(np.exp(-wait.rate * found.times), abs=0.01)


def test_the_better_of_two_among_many_waits_as_long_as_the_theory_says() -> None:
    evenly = tuple(np.linspace(1.0, 1e-4, 2000))
    mean = float(added(50, 1, (0.9,), evenly).at(0, 1.0).mean())
    stay = sum(0.9 ** (2**k - 2) for k in range(1, 12))  # Mitzenmacher 2001, for two choices
    assert mean + 1 == pytest.approx(stay, rel=0.03)


def test_the_benchmarks_central_queue_is_the_simulated_platforms() -> None:
    chance = np.random.default_rng(2)
    arrivals = np.cumsum(chance.exponential(0.3, 3000))
    times = Distribution.of(chance.gamma(4.0, 0.25, 500))
    luck = chance.random(3000)
    queue = FcfsQueue(arrivals, luck, lambda _: times)
    for name in "ab":
        queue.join(name, "small", 2, 0.0)
    queue.advance(1e9)
    drawn = np.interp(luck, times.levels, times.values_s)
    waited = waiting_s(arrivals, drawn, DispatchRule.LEAST_LOADED, 2, 2)
    assert waited + drawn == pytest.approx(queue.latencies_s(0.0, 1e9))


@pytest.mark.parametrize("rule", [r for r in RULES if r is not DispatchRule.FIRST_FREE])
@pytest.mark.parametrize(("replicas", "workers"), [(1, 1), (4, 1), (3, 2)])
@pytest.mark.parametrize("cv", [0.0, 0.3, 0.6])
def test_predicted_rates_are_within_five_per_cent_of_simulated_ones(
    rule: DispatchRule, replicas: int, workers: int, cv: float
) -> None:
    times = log_normal(cv) if cv else Distribution.constant(1.0)
    queue = Queue(times, rule, replicas, workers, requests=100_000)
    for slo in (Slo(3.0, 0.95), Slo(6.0, 0.99)):
        simulated = queue.largest_rps(slo)
        predicted = MGC.rps(profile(times, workers), slo, rule, replicas)
        assert predicted == pytest.approx(simulated, rel=0.05)


@given(
    st.sampled_from(RULES),
    st.floats(0.0, 1.0),
    st.floats(1.1, 12),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    st.integers(1, 40),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_more_replicas_serve_more_and_each_at_least_as_much(
    rule: DispatchRule, cv: float, slo_s: float, percentile: float, replicas: int, workers: int
) -> None:
    measured = profile(log_normal(cv) if cv > 0.01 else Distribution.constant(1.0), workers)
    few, more = (MGC.rps(measured, Slo(slo_s, percentile), rule, n) for n in (replicas, replicas + 1))
    assert 0 <= few <= replicas * workers / measured.service_time.mean_s * 1.001
    assert more >= few
    assert more / (replicas + 1) >= few / replicas * (1 - 2e-3)


@given(st.sampled_from(RULES), st.floats(1.05, 10), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_a_looser_slo_never_serves_less(rule: DispatchRule, slo_s: float, replicas: int) -> None:
    measured = profile(log_normal(0.3))
    rates = [
        MGC.rps(measured, Slo(bound, percentile), rule, replicas)
        for bound, percentile in ((slo_s, 0.95), (slo_s, 0.9), (slo_s * 1.2, 0.9))
    ]
    assert rates == sorted(rates)


def test_no_rule_serves_more_than_a_central_queue() -> None:
    measured, slo = profile(log_normal(0.3)), Slo(3.0, 0.95)
    by_rule = {rule: MGC.rps(measured, slo, rule, 6) for rule in RULES}
    assert max(by_rule.values()) == by_rule[DispatchRule.LEAST_LOADED]
    assert min(by_rule.values()) == by_rule[DispatchRule.RANDOM]
    assert by_rule[DispatchRule.FIRST_FREE] == by_rule[DispatchRule.LEAST_LOADED]


@pytest.mark.parametrize("name", NAMES)
def test_a_flavor_that_is_too_slow_serves_nothing(name: str) -> None:
    slow = profile(Distribution.of(np.linspace(0.6, 0.7, 200)))
    for rule in RULES:
        if name != "mmc":
            assert capacity_model(name).rps(slow, Slo(0.5), rule, 3) == 0  # type: ignore[arg-type]  # by name


def test_requests_that_slow_each_other_down_are_served_at_the_pace_they_then_have() -> None:
    alone, both = Distribution.constant(0.1), Distribution.constant(0.2)
    shared = replace(profile(both, 2), by_concurrency=((1, alone), (2, both)))
    slo = Slo(0.5, 0.95)
    rates = [
        MGC.rps(one, slo, DispatchRule.LEAST_LOADED, 1)
        for one in (profile(both, 2), shared, profile(alone, 2))
    ]
    assert rates == sorted(rates)
    assert rates[1] < 10  # two workers at 0.2 s each


def test_a_time_of_nothing_is_a_wrong_measurement() -> None:
    with pytest.raises(ValueError, match=r"profile of net on small: service time 0.0 s: measure it again"):
        MGC.rps(profile(Distribution.constant(0.0)), Slo(0.5), DispatchRule.RANDOM, 1)
