"""An hour of ramping load in virtual time: rivals under the real controller, twice with equal results."""

import numpy as np
import pytest
from policies_views import CATALOGUE, PROFILES, RULES, SERVICE, A, watched

from barista.control.controller import Controller, Rhythm
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.drive import drive
from barista.platforms.simulated.service import SimulatedService
from barista.policies import make_policy, rival_turn

START_S, HOUR_S = 1_700_000_000.0, 3600.0
LOW_RPS, HIGH_RPS = 5.0, 80.0


def ramp(seed):
    """Poisson arrivals whose rate climbs steadily from low to high, and falls back for the last third."""
    rng = np.random.default_rng(seed)
    at_s = np.sort(rng.uniform(0, HOUR_S, rng.poisson(HIGH_RPS * HOUR_S)))
    rate = np.interp(at_s, [0, 0.6 * HOUR_S, 0.66 * HOUR_S, HOUR_S], [LOW_RPS, HIGH_RPS, LOW_RPS, LOW_RPS])
    return START_S + at_s[rng.random(len(at_s)) < rate / HIGH_RPS]


def run(name, options, seed=0, first=1):
    cluster = SimulatedCluster(
        CATALOGUE,
        [SimulatedService(SERVICE, PROFILES, ramp(seed), replicas={"big": first})],
        START_S,
        seed=seed,
    )
    policy = make_policy(name, options, watched(), RULES)
    rival = rival_turn(policy, watched(), cluster, cluster, 60.0, RULES.horizon.step_s)
    most = [0]

    def turn(memory, now_s):
        done = rival(memory, now_s)
        most.append(len(done.situation.view(A).replicas))
        return done

    controller = Controller(turn, cluster, Rhythm(policy.tick_s or 30.0))
    return drive(controller.tick, cluster, START_S, START_S + HOUR_S), cluster, max(most)


def figures(result):
    part = result.services[A]
    return (part.slo_violation_ratio, part.p50_s, part.p95_s, part.p99_s, result.cost, result.cold_starts)


RIVALS = [("kpa", {}), ("static", {"peak_rps": {A: HIGH_RPS}})]


@pytest.mark.parametrize(("name", "options"), RIVALS)
def test_the_same_hour_twice_is_the_same_to_the_last_digit(name, options):
    (one, _, _), (other, _, _) = run(name, options), run(name, options)
    assert figures(one) == figures(other)
    np.testing.assert_array_equal(one.services[A].latencies_s, other.services[A].latencies_s)


def test_the_kpa_follows_the_ramp_up_and_back_down():
    result, cluster, most = run("kpa", {})
    assert result.requests > 100_000
    assert most >= HIGH_RPS * 0.06 / 0.7  # what is worked on at the top, over the target
    assert len(cluster.state()[A]) == 1
    assert result.cold_starts >= most - 1


def test_sized_for_the_peak_a_service_keeps_its_slo_and_pays_for_it_all_day():
    static, _, most = run("static", {"peak_rps": {A: HIGH_RPS}}, first=5)
    kpa, _, _ = run("kpa", {})
    assert most == 5  # eight requests of 60 ms fit into the SLO: 16 a second and replica
    assert static.slo_violation_ratio < 0.01
    assert static.cold_starts == 0
    assert static.cost == pytest.approx(5 * CATALOGUE.flavor("big").cost_per_hour)
    assert static.cost > kpa.cost
