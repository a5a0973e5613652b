"""What goes beyond PROBLEM.md is planned exactly too: resizes in place and steps of shortfall."""

from dataclasses import replace

import pytest

from barista.plan.fairness import PROPORTIONAL
from barista.plan.price import price
from barista.plan.vertical import vertical_first
from barista.testing.planners import beyond_benchmark, random_problem, worked_example
from barista.values.problem import FlavorPlan, Plan, PlanLimits, Problem
from barista_plugins.cbc import Budget
from barista_plugins.mip import MipPlanner
from barista_plugins.whole import solve_whole

EXACT = PlanLimits(time_limit_s=None, gap=0.0)
SEEDS = range(24)


def of_families(problem: Problem) -> Problem:
    """`problem` with all flavors of a pool in one family."""
    return replace(problem, flavors=tuple(replace(f, family=f.pool) for f in problem.flavors))


def without_switching(problem: Problem) -> Problem:
    return replace(problem, services=tuple(replace(s, switching_cost=0.0) for s in problem.services))


def kinds(seed: int) -> tuple[Problem, ...]:
    plain = random_problem(seed)
    both = of_families(beyond_benchmark(plain, seed))
    return beyond_benchmark(plain, seed), of_families(plain), without_switching(both), both


@pytest.mark.parametrize("seed", SEEDS)
def test_plans_cost_what_they_say_and_no_plan_less_than_the_bound(seed: int) -> None:
    for problem in kinds(seed):
        apart, whole = MipPlanner().plan(problem, EXACT), solve_whole(problem, {}, Budget.of(EXACT))
        other = Plan(whole.services, whole.status, "whole")
        assert apart.cost is not None
        assert apart.bound is not None
        for plan, told in ((apart, apart.cost), (other, whole.cost)):
            found = price(problem, plan)
            assert found.violations == ()
            assert found.cost == pytest.approx(told, rel=1e-6)
            assert price(problem, vertical_first(problem, plan)).cost >= apart.bound * (1 - 1e-6)
        assert apart.cost == pytest.approx(whole.cost, rel=1e-4)
        assert apart.bound == pytest.approx(whole.bound, rel=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_resizing_never_makes_a_plan_dearer(seed: int) -> None:
    problem = random_problem(seed)
    apart, together = (MipPlanner().plan(p, EXACT) for p in (problem, of_families(problem)))
    assert together.cost is not None
    assert together.bound is not None
    assert apart.cost is not None
    assert together.bound <= apart.cost * (1 + 1e-6)
    assert together.cost <= apart.cost * (1 + 1e-4)


def test_a_peak_of_a_step_is_served_by_a_replica_that_grows_for_it() -> None:
    problem = worked_example()
    web = replace(
        problem.services[0],
        demand_rps=(10.0, 40.0, 10.0),
        shortfall_cost_per_request=1e-4,
        replicas=(replace(problem.services[0].replicas[0], lease_left=0),),
    )
    peak = replace(of_families(problem), services=(web,))
    plan = MipPlanner().plan(peak, EXACT)
    assert plan.services["web"] == {
        "small": FlavorPlan((0, 0, 1), (0, 1, 0), (0, 0, 1)),
        "large": FlavorPlan((0, 1, 0), (0, 0, 1), (0, 1, 0)),
    }
    assert plan.cost == pytest.approx(0.05)
    assert plan.bound == pytest.approx(0.05)


def test_what_is_short_is_shared_where_the_next_request_lost_costs_more() -> None:
    problem = worked_example()
    one = replace(
        problem.services[0],
        name="one",
        demand_rps=(20.0, 20.0, 20.0),
        shortfall_cost_per_request=1e-4,
        min_replicas=0,
        replicas=(),
        flavors=tuple(replace(option, setup_steps=0) for option in problem.services[0].flavors[:1]),
    )
    other = replace(one, name="other", shortfall_cost_per_request=1.2e-4)
    crowded = replace(problem, pools=(replace(problem.pools[0], cpu=2.0),), services=(one, other))

    def started(problem: Problem) -> dict[str, int]:
        plan = MipPlanner().plan(problem, EXACT)
        return {name: flavors["small"].start[0] for name, flavors in plan.services.items()}

    fair = replace(
        crowded, services=tuple(replace(s, shortfall_steps=PROPORTIONAL) for s in crowded.services)
    )
    assert started(crowded) == {"one": 0, "other": 2}
    assert started(fair) == {"one": 1, "other": 1}
