from dataclasses import replace

import numpy as np
import pytest

from barista.plan.price import price
from barista.testing.planners import beyond_benchmark, random_problem
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem
from barista_plugins.carried import Carried, Start
from barista_plugins.cbc import Budget
from barista_plugins.crew import Crew
from barista_plugins.decomposition import Decomposition
from barista_plugins.mip import MipPlanner
from barista_plugins.packed import PackedProblem
from benchmarks.planning_shift import one_step_later

EXACT = PlanLimits(time_limit_s=None, gap=0.0)
SEEDS = range(20)


def of_all_kinds(seed: int) -> Problem:
    """A random problem with switching costs, steps of shortfall, and, of every other one, families."""
    problem = beyond_benchmark(random_problem(seed), seed)
    families = seed % 4 < 2
    return replace(
        problem,
        flavors=tuple(replace(f, family=f.pool if families else "") for f in problem.flavors),
    )


def carried_on(problem: Problem, gap: float = 0.0) -> tuple[PackedProblem, Carried, Plan]:
    """`problem` planned: what is left, and the plan."""
    packed = PackedProblem(problem)
    planning = Decomposition(packed, Budget(None, gap, None), Start.from_nothing(packed))
    planning.run()
    services = {s.name: packed.plan_of(i, planning.chosen[i].plan) for i, s in enumerate(problem.services)}
    left = Carried.of(
        packed, planning.prices, planning.cap, planning.proven, planning.chosen, planning.columns
    )
    return packed, left, Plan(services, PlanStatus.FEASIBLE, "first")


def least_of_all(packed: PackedProblem, prices: np.ndarray) -> np.ndarray:
    """What each service costs at least at `prices`, by searching to the end."""
    count = len(packed.options)
    found = Crew(packed.arrays).search(
        range(count),
        prices,
        np.full_like(prices, np.inf),
        np.full(count, 20000),
        np.zeros(count),
        np.full(count, np.inf),
        Budget(None, 0.0, None),
    )
    return found.cost


@pytest.mark.parametrize("seed", SEEDS)
def test_plans_go_on_as_plans_at_their_price(seed: int) -> None:
    problem = of_all_kinds(seed)
    _, left, plan = carried_on(problem)
    later = one_step_later(problem, plan)
    packed = PackedProblem(later)
    start = left.start(packed)
    assert len(start.chosen) == len(later.services)
    for column in (*start.chosen, *start.known):
        service = later.services[column.service]
        alone = replace(later, services=(service,))
        found = price(
            alone,
            Plan({service.name: packed.plan_of(column.service, column.plan)}, PlanStatus.FEASIBLE, "on"),
        )
        assert not [v for v in found.violations if not v.startswith("pool")]
        assert found.cost == pytest.approx(column.cost * packed.unit_cost)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gap", [0.0, 0.2])
@pytest.mark.parametrize("change", [1.0, 0.9, 1.1])
def test_what_is_proven_holds_a_step_later_whatever_the_demand(seed: int, gap: float, change: float) -> None:
    problem = of_all_kinds(seed)
    _, left, plan = carried_on(problem, gap)
    shifted = one_step_later(problem, plan)
    rng = np.random.default_rng(seed)
    later = replace(
        shifted,
        services=tuple(
            replace(
                s, demand_rps=tuple(rps * float(rng.uniform(*sorted((change, 1.0)))) for rps in s.demand_rps)
            )
            for s in shifted.services
        ),
    )
    packed = PackedProblem(later)
    start = left.start(packed)
    if change == 1.0:
        assert np.isfinite(start.least).all()
    least = least_of_all(packed, start.prices)
    assert (start.least <= least + 1e-6 * np.maximum(1.0, np.abs(least))).all()
    resumed = Crew(packed.arrays._replace(rest=start.rest, rest_prices=start.prices))
    elsewhere = 0.7 * start.prices
    relaxed = resumed.search(
        range(len(least)),
        elsewhere,
        np.full_like(elsewhere, np.inf),
        np.zeros(len(least), np.int64),
        np.zeros(len(least)),
        np.full(len(least), np.inf),
        Budget(None, 0.0, None),
    ).bound
    least = least_of_all(packed, elsewhere)
    assert (relaxed <= least + 1e-6 * np.maximum(1.0, np.abs(least))).all()


def test_nothing_is_proven_of_a_service_that_went_another_way() -> None:
    problem = random_problem(3)
    _, left, plan = carried_on(problem)
    later = one_step_later(problem, plan)
    first = later.services[0]
    other = replace(first, replicas=(*first.replicas, replace(first.replicas[0], ready_in=1)))
    start = left.start(PackedProblem(replace(later, services=(other, *later.services[1:]))))
    assert np.isinf(start.least[0])
    assert np.isfinite(start.least[1:]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_plan_is_as_cheap_from_what_the_first_left_as_from_nothing(seed: int) -> None:
    limits = PlanLimits(time_limit_s=60, gap=1e-4)
    problem, planner = of_all_kinds(seed), MipPlanner()
    later = one_step_later(problem, planner.plan(problem, limits))
    warm, cold = planner.plan(later, limits), MipPlanner().plan(later, limits)
    assert price(later, warm).feasible
    assert warm.bound is not None
    assert cold.cost is not None
    assert warm.bound <= cold.cost * (1 + 1e-6)
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
