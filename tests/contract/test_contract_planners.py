from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.plan.auto import AutoPlanner
from barista.plan.greedy import GreedyPlanner
from barista.plan.instance import instance_document, plan_document
from barista.ports.planner import Planner
from barista.testing.planners import (
    REPEATABLE,
    check_beyond_benchmark,
    check_empty,
    check_infeasible,
    check_more_demand,
    check_plan,
    random_problem,
    worked_example,
)
from barista_plugins.mip import MipPlanner

PLANNERS = [GreedyPlanner, MipPlanner, AutoPlanner]
EXACT = [MipPlanner, AutoPlanner]


@pytest.mark.parametrize("make", PLANNERS)
def test_it_is_a_planner(make: Callable[[], Planner]) -> None:
    assert isinstance(make(), Planner)


@pytest.mark.parametrize("make", PLANNERS)
def test_it_keeps_the_contract_on_random_problems(make: Callable[[], Planner], problem_seed: int) -> None:
    problem = random_problem(problem_seed)
    plan = check_plan(make(), problem, never_above_greedy=make in EXACT)
    check_more_demand(make(), problem, plan, problem_seed)
    check_beyond_benchmark(make(), problem, problem_seed)


@pytest.mark.parametrize("make", PLANNERS)
def test_its_plans_cost_what_the_benchmarks_checker_says(
    make: Callable[[], Planner], problem_seed: int, checker: ModuleType
) -> None:
    problem = random_problem(problem_seed)
    plan = make().plan(problem, REPEATABLE)
    instance = checker.parse_instance(instance_document(problem))
    found = checker.check(instance, checker.parse_plan(plan_document(plan), instance))
    assert found.count == 0, found.violations
    assert plan.cost == pytest.approx(found.provision_cost + found.shortfall_cost, abs=1e-6)


@pytest.mark.parametrize("make", PLANNERS)
def test_infeasible_is_a_result(make: Callable[[], Planner]) -> None:
    check_infeasible(make())


@pytest.mark.parametrize("make", PLANNERS)
def test_nothing_to_plan_costs_nothing(make: Callable[[], Planner]) -> None:
    check_empty(make())


@pytest.mark.parametrize("make", EXACT)
def test_the_worked_example_is_solved_to_optimality(make: Callable[[], Planner]) -> None:
    plan = check_plan(make(), worked_example(), never_above_greedy=True)
    assert plan.cost == pytest.approx(0.095)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(min_value=1000, max_value=10_000_000))
def test_greedy_is_feasible_and_never_below_the_proven_bound(seed: int) -> None:
    problem = random_problem(seed)
    greedy = check_plan(GreedyPlanner(), problem)
    exact = MipPlanner().plan(problem, REPEATABLE)
    assert exact.bound is not None
    assert greedy.cost is not None
    assert greedy.cost >= exact.bound - 1e-6 * max(1.0, exact.bound)
