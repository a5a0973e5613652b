from dataclasses import replace
from itertools import product

import pytest

from barista.plan.price import price
from barista.testing.planners import random_problem, worked_example
from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    FlavorPlan,
    Plan,
    PlanLimits,
    PlanStatus,
    Problem,
    ServiceProblem,
)
from barista_plugins.cbc import Budget
from barista_plugins.mip import MipPlanner
from barista_plugins.whole import solve_whole

EXACT = PlanLimits(time_limit_s=None, gap=0.0)


def test_the_worked_example_is_solved_by_its_plan_a() -> None:
    plan = MipPlanner().plan(worked_example(), EXACT)
    assert plan.status is PlanStatus.OPTIMAL
    assert plan.cost == pytest.approx(0.095)
    assert plan.bound == pytest.approx(0.095)
    assert plan.services["web"]["small"] == FlavorPlan((1, 1, 0), (0, 0, 0))


def cheapest_of_all(problem: Problem, most: int) -> float:
    """The least cost of any plan with up to `most` starts and stops a step, by trying every one."""
    (service,) = problem.services
    (flavor,) = (option.flavor for option in service.flavors)
    series = list(product(range(most + 1), repeat=problem.steps))
    plans = (
        Plan({service.name: {flavor: FlavorPlan(start, stop)}}, PlanStatus.FEASIBLE, "all")
        for start, stop in product(series, series)
    )
    return min(found.cost for plan in plans if (found := price(problem, plan)).feasible)


@pytest.mark.parametrize(
    ("demand", "setup", "lease", "existing"),
    [
        ((10.0, 25.0, 12.0), 0, 0, ()),
        ((10.0, 25.0, 12.0), 1, 2, ((0, 0),)),
        ((25.0, 0.0, 18.0), 1, 0, ((0, 0), (0, 2))),
        ((5.0, 14.0, 3.0), 0, 3, ((1, 0), (0, 1))),
        ((11.0, 9.0, 22.0), 2, 1, ((0, 3), (2, 0))),
    ],
)
def test_no_plan_at_all_is_cheaper(
    demand: tuple[float, ...], setup: int, lease: int, existing: tuple[tuple[int, int], ...]
) -> None:
    problem = Problem(
        "all",
        300.0,
        3,
        (Pool("main", cpu=3.0, memory_gib=10.0),),
        (Flavor("small", "main", cpu=1.0, memory_gib=1.0, cost_per_hour=0.12),),
        (
            ServiceProblem(
                "web",
                demand,
                1.1e-5,
                1,
                3,
                (FlavorOption("small", 10.0, setup, lease),),
                tuple(ExistingReplica("small", ready, left) for ready, left in existing),
            ),
        ),
    )
    assert MipPlanner().plan(problem, EXACT).cost == pytest.approx(cheapest_of_all(problem, 2))


def test_a_problem_in_small_change_is_solved_as_exactly() -> None:
    problem = random_problem(7)
    tiny = replace(
        problem,
        flavors=tuple(
            replace(flavor, cost_per_hour=flavor.cost_per_hour * 1e-4) for flavor in problem.flavors
        ),
        services=tuple(
            replace(s, shortfall_cost_per_request=s.shortfall_cost_per_request * 1e-4)
            for s in problem.services
        ),
    )
    as_it_is, in_small_change = (MipPlanner().plan(p, EXACT) for p in (problem, tiny))
    assert in_small_change.cost == pytest.approx((as_it_is.cost or 0.0) * 1e-4, rel=1e-6)


def with_switching(problem: Problem, cost: float) -> Problem:
    return replace(
        problem, services=tuple(replace(service, switching_cost=cost) for service in problem.services)
    )


@pytest.mark.parametrize("seed", range(12))
def test_switching_costs_are_reckoned_as_they_are_priced(seed: int) -> None:
    problem = with_switching(random_problem(seed), 0.01)
    apart = MipPlanner().plan(problem, EXACT)
    whole = solve_whole(problem, {}, Budget.of(EXACT))
    assert apart.cost == pytest.approx(price(problem, apart).cost)
    assert whole.cost == pytest.approx(price(problem, Plan(whole.services, whole.status, "whole")).cost)
    assert apart.cost == pytest.approx(whole.cost)
    assert apart.bound == pytest.approx(whole.bound)


def test_a_change_has_to_pay_for_itself() -> None:
    free, dear = (MipPlanner().plan(with_switching(worked_example(), cost), EXACT) for cost in (0.0, 1.0))

    def changes(plan: Plan) -> int:
        return sum(sum(f.start) + sum(f.stop) for flavors in plan.services.values() for f in flavors.values())

    assert changes(free) == 2
    assert changes(dear) == 0


def test_what_no_plan_fits_is_infeasible() -> None:
    problem = worked_example()
    crowded = replace(problem, pools=(replace(problem.pools[0], cpu=0.5),))
    plan = MipPlanner().plan(crowded, EXACT)
    assert plan.status is PlanStatus.INFEASIBLE
    assert plan.note


def test_flavors_that_cost_nothing_are_no_trouble() -> None:
    problem = worked_example()
    free = replace(problem, flavors=tuple(replace(f, cost_per_hour=0.0) for f in problem.flavors))
    plan = MipPlanner().plan(free, EXACT)
    assert plan.status is PlanStatus.OPTIMAL
    assert price(free, plan).feasible


def test_seconds_are_told_by_phase() -> None:
    plan = MipPlanner().plan(worked_example(), EXACT)
    assert {"load", "prices", "bound"} <= set(plan.seconds)
