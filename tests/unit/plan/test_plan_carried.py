from dataclasses import replace

import pytest

from barista.plan.price import price
from barista.testing.planners import beyond_benchmark, random_problem
from barista.values.problem import FlavorPlan, Plan, PlanLimits, PlanStatus, Problem
from barista_plugins.carried import Carried
from barista_plugins.mip import MipPlanner
from barista_plugins.packed import PackedProblem
from benchmarks.planning_shift import one_step_later

EXACT = PlanLimits(time_limit_s=None, gap=0.0)
SEEDS = range(20)


def with_switching(seed: int) -> Problem:
    """A random problem whose services have switching costs, but no steps of shortfall."""
    problem = beyond_benchmark(random_problem(seed), seed)
    return replace(problem, services=tuple(replace(s, shortfall_steps=()) for s in problem.services))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_is_the_column_that_it_came_from_at_its_price(seed: int) -> None:
    problem = with_switching(seed)
    plan, packed = MipPlanner().plan(problem, EXACT), PackedProblem(problem)
    total, back = 0.0, {}
    for s, service in enumerate(problem.services):
        column = packed.column_of(s, plan.services[service.name])
        assert column is not None
        total += column[0] * packed.unit_cost
        back[service.name] = packed.plan_of(s, column[2])
    assert total == pytest.approx(price(problem, plan).cost)
    found = price(problem, Plan(back, PlanStatus.FEASIBLE, "back"))
    assert (found.feasible, found.cost) == (True, pytest.approx(total))


def test_of_a_plan_that_cannot_be_kept_what_can_be_is() -> None:
    problem = random_problem(3)
    packed = PackedProblem(problem)
    for s, service in enumerate(problem.services):
        wild = FlavorPlan((1,) * problem.steps, (9,) * problem.steps)
        column = packed.column_of(s, dict.fromkeys(packed.options[s], wild))
        if column is not None:
            plan = Plan({service.name: packed.plan_of(s, column[2])}, PlanStatus.FEASIBLE, "wild")
            alone = replace(problem, services=(service,))
            assert not [v for v in price(alone, plan).violations if "lease" in v]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_plan_is_as_cheap_from_what_the_first_left_as_from_nothing(seed: int) -> None:
    limits = PlanLimits(time_limit_s=60, gap=1e-4)
    problem, planner = random_problem(seed), MipPlanner()
    later = one_step_later(problem, planner.plan(problem, limits))
    warm, cold = planner.plan(later, limits), MipPlanner().plan(later, limits)
    assert price(later, warm).feasible
    assert warm.cost == pytest.approx(cold.cost, rel=2e-4)


def test_what_another_problem_left_does_no_harm() -> None:
    limits = PlanLimits(time_limit_s=60, gap=1e-4)
    planner = MipPlanner()
    for seed in SEEDS:
        problem = random_problem(seed)
        plan = planner.plan(problem, limits)
        assert price(problem, plan).feasible
        assert plan.cost == pytest.approx(MipPlanner().plan(problem, limits).cost, rel=2e-4)


def test_without_a_time_limit_nothing_is_carried() -> None:
    problem, planner = random_problem(5), MipPlanner()
    planner.plan(problem, PlanLimits(time_limit_s=60))
    later = random_problem(7)
    assert planner.plan(later, EXACT).services == MipPlanner().plan(later, EXACT).services


def test_from_nothing_comes_nothing() -> None:
    packed = PackedProblem(random_problem(1))
    assert Carried().columns_for(packed) == []
    assert not Carried().prices_for(packed.problem).any()
