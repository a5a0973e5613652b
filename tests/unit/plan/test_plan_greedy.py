from dataclasses import replace

import pytest

from barista.plan.greedy import GreedyPlanner
from barista.plan.price import price
from barista.testing.planners import random_problem
from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    Plan,
    PlanLimits,
    PlanStatus,
    Problem,
    ServiceProblem,
)

DEAR = 1e-3
"""Shortfall cost per request at which everything that can be served is."""


def problem(
    demand_rps: tuple[float, ...],
    *,
    shortfall: float = DEAR,
    setup: int = 1,
    lease: int = 0,
    existing: tuple[ExistingReplica, ...] = (),
    minimum: int = 0,
    maximum: int = 10,
    cpu: float = 100.0,
    second_flavor: tuple[FlavorOption, Flavor] | None = None,
) -> Problem:
    options = [FlavorOption("small", 10.0, setup, lease)]
    flavors = [Flavor("small", "main", cpu=1.0, memory_gib=1.0, cost_per_hour=0.12)]
    if second_flavor is not None:
        options.append(second_flavor[0])
        flavors.append(second_flavor[1])
    web = ServiceProblem("web", demand_rps, shortfall, minimum, maximum, tuple(options), existing)
    pools = (Pool("main", cpu=cpu, memory_gib=1000.0), Pool("other", cpu=100.0, memory_gib=1000.0))
    return Problem("story", 300.0, len(demand_rps), pools, tuple(flavors), (web,))


def solve(posed: Problem) -> Plan:
    plan = GreedyPlanner().plan(posed, PlanLimits())
    found = price(posed, plan)
    assert found.feasible, found.violations
    assert plan.cost == pytest.approx(found.cost)
    return plan


def paid(posed: Problem, plan: Plan, flavor: str = "small") -> list[int]:
    counts = plan.services["web"][flavor]
    held = sum(replica.flavor == flavor for replica in posed.services[0].replicas)
    series = []
    for start, stop in zip(counts.start, counts.stop, strict=True):
        held += start - stop
        series.append(held)
    return series


READY = ExistingReplica("small", ready_in=0, lease_left=0)


def test_a_replica_is_started_its_set_up_time_before_the_load_arrives() -> None:
    posed = problem((0, 0, 0, 10, 10), setup=2)
    assert paid(posed, solve(posed)) == [0, 1, 1, 1, 1]


def test_a_replica_that_nothing_needs_any_more_is_stopped() -> None:
    posed = problem((20, 20, 10, 10), existing=(READY, READY))
    assert paid(posed, solve(posed)) == [2, 2, 1, 1]


def test_a_lease_is_waited_for() -> None:
    posed = problem((0, 0, 0, 0), existing=(ExistingReplica("small", 0, lease_left=3),))
    assert paid(posed, solve(posed)) == [1, 1, 1, 0]


def test_a_replica_is_kept_over_a_lull_shorter_than_a_new_set_up() -> None:
    posed = problem((10, 0, 10, 10), setup=2, existing=(READY,))
    assert paid(posed, solve(posed)) == [1, 1, 1, 1]


def test_a_replica_is_let_go_over_a_lull_longer_than_a_new_set_up() -> None:
    posed = problem((10, 0, 0, 0, 10), setup=1, existing=(READY,))
    assert paid(posed, solve(posed)) == [1, 0, 0, 1, 1]


def test_a_peak_that_costs_less_than_a_replica_goes_unserved() -> None:
    # 5 requests/s for 300 s at 0.00001 cost 0.015; a replica for two steps costs 0.02.
    posed = problem((10, 10, 15), shortfall=1e-5, existing=(READY,))
    assert paid(posed, solve(posed)) == [1, 1, 1]


def test_what_is_left_of_the_demand_goes_to_the_flavor_that_serves_it_cheapest() -> None:
    large = (
        FlavorOption("large", 40.0, 1, 0),
        Flavor("large", "main", cpu=4.0, memory_gib=4.0, cost_per_hour=0.36),
    )
    posed = problem((0, 45, 45, 45), second_flavor=large)
    plan = solve(posed)
    assert paid(posed, plan, "large") == [1, 1, 1, 1]
    assert paid(posed, plan, "small") == [1, 1, 1, 1]


def test_a_full_pool_sends_the_demand_to_the_next_best_flavor() -> None:
    dear = (
        FlavorOption("dear", 10.0, 1, 0),
        Flavor("dear", "other", cpu=1.0, memory_gib=1.0, cost_per_hour=0.2),
    )
    posed = problem((0, 30, 30), cpu=2.0, second_flavor=dear)
    plan = solve(posed)
    assert paid(posed, plan, "small") == [2, 2, 2]
    assert paid(posed, plan, "dear") == [1, 1, 1]


def test_what_fits_nowhere_is_shortfall() -> None:
    posed = problem((0, 30, 30), cpu=2.0)
    assert paid(posed, solve(posed)) == [2, 2, 2]


def test_the_minimum_is_held_without_demand_and_the_maximum_with_too_much() -> None:
    idle, overloaded = problem((0, 0, 0), minimum=2), problem((0, 90, 90), maximum=3)
    assert paid(idle, solve(idle)) == [2, 2, 2]
    assert paid(overloaded, solve(overloaded)) == [3, 3, 3]


def test_replicas_that_may_not_be_stopped_and_do_not_fit_leave_no_plan() -> None:
    stuck = ExistingReplica("small", 0, lease_left=2)
    plan = GreedyPlanner().plan(problem((0, 0, 0), existing=(stuck, stuck), cpu=1.0), PlanLimits())
    assert plan.status is PlanStatus.INFEASIBLE
    assert "pool 'main'" in plan.note


def test_in_pools_too_small_for_all_a_plan_is_feasible_or_there_is_none() -> None:
    for seed in range(60):
        posed = random_problem(seed)
        tight = replace(posed, pools=tuple(replace(p, cpu=p.cpu * 0.6) for p in posed.pools))
        plan = GreedyPlanner().plan(tight, PlanLimits())
        assert not plan.is_usable or price(tight, plan).feasible
