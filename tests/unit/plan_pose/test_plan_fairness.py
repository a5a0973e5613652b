"""What unserved demand costs by its share, and which services that is posed for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.plan.fairness import PROPORTIONAL, fair, weighted_unserved
from barista.plan.price import price
from barista.testing.planners import random_problem, worked_example
from barista.values.flavor import Pool
from barista.values.problem import FlavorPlan, Plan, PlanStatus, Problem, ServiceProblem

SPLITS = [(4, 0), (3, 1), (2, 2), (1, 3), (0, 4)]
NOTHING = Plan({}, PlanStatus.FEASIBLE, "by hand")


def with_steps(
    steps: tuple[tuple[float, float], ...], demand: tuple[float, ...] = (100.0,)
) -> ServiceProblem:
    return replace(worked_example().services[0], demand_rps=demand, shortfall_steps=steps)


@pytest.mark.parametrize(
    ("steps", "unserved", "weighted"),
    [
        ((), 70, 70),
        (((1.0, 1.0),), 70, 70),
        (((0.5, 1.0), (0.5, 3.0)), 50, 50),
        (((0.5, 1.0), (0.5, 3.0)), 70, 50 + 20 * 3),
        (((0.2, 1.0), (0.2, 2.0)), 100, 20 + 80 * 2),  # what no share covers costs the last factor
        (PROPORTIONAL, 100, 25 * (1 + 4 / 3 + 2 + 4)),
        (PROPORTIONAL, 0, 0),
    ],
)
def test_unserved_demand_costs_more_the_larger_its_share(
    steps: tuple[tuple[float, float], ...], unserved: float, weighted: float
) -> None:
    found = weighted_unserved(with_steps(steps), np.array([float(unserved)]))
    assert found == pytest.approx([weighted])


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 1000))
def test_what_is_short_costs_least_when_it_is_shared(one: float, other: float, demand: float) -> None:
    def cost(share: float) -> float:
        service = with_steps(PROPORTIONAL, (demand,))
        return float(weighted_unserved(service, np.array([share * demand]))[0])

    assert 2 * cost((one + other) / 2) <= cost(one) + cost(other) + 1e-9 * demand


def test_a_plan_pays_the_factors_and_loses_the_same_requests() -> None:
    plain = worked_example()
    steep = replace(plain, services=(replace(plain.services[0], shortfall_steps=((1.0, 3.0),)),))
    assert price(steep, NOTHING).shortfall_cost == pytest.approx(3 * price(plain, NOTHING).shortfall_cost)
    assert price(steep, NOTHING).unserved_requests == price(plain, NOTHING).unserved_requests


@pytest.mark.parametrize(
    ("steps", "priority", "cheapest"),
    [
        ((), 2.0, {(4, 0)}),
        (PROPORTIONAL, 1.0, {(2, 2)}),
        (PROPORTIONAL, 2.0, {(3, 1)}),
        ((), 1.0, set(SPLITS)),
    ],
)
def test_a_pool_for_half_of_the_demand_is_shared_by_priority_instead_of_starving_one(
    steps: tuple[tuple[float, float], ...], priority: float, cheapest: set[tuple[int, int]]
) -> None:
    """Two services want four replicas each of a pool that holds four."""
    posed = worked_example()
    (web,) = posed.services
    web = replace(web, demand_rps=(0.0, 40.0, 40.0), min_replicas=0, replicas=(), shortfall_steps=steps)
    dear = replace(web, name="dear", shortfall_cost_per_request=priority * web.shortfall_cost_per_request)
    posed = replace(posed, pools=(Pool("main", 4, 100),), services=(dear, web))

    def cost(split: tuple[int, int]) -> float:
        dear_starts, web_starts = (FlavorPlan((n, 0, 0), (0, 0, 0)) for n in split)
        plan = Plan({"dear": {"small": dear_starts}, "web": {"small": web_starts}}, PlanStatus.FEASIBLE, "")
        found = price(posed, plan)
        assert found.feasible
        return found.cost

    least = min(cost(split) for split in SPLITS)
    assert {split for split in SPLITS if cost(split) <= least + 1e-9} == cheapest


def with_pools(problem: Problem, *pools: Pool) -> Problem:
    return replace(problem, pools=pools)


def test_services_of_a_pool_too_small_are_posed_with_steps_and_others_are_not() -> None:
    problem = worked_example()  # 35 requests/s at their peak: one large replica of 4 cpu
    assert fair(problem) == problem
    small = fair(with_pools(problem, Pool("main", 3, 100)))
    assert small.services[0].shortfall_steps == PROPORTIONAL


def test_a_service_in_another_pool_is_not_concerned() -> None:
    problem = worked_example()
    small, large = problem.flavors
    (web,) = problem.services
    apart = replace(
        problem,
        pools=(Pool("main", 3, 100), Pool("roomy", 100, 100)),
        flavors=(replace(small, pool="roomy"), large),
        services=(
            replace(web, flavors=web.flavors[1:], replicas=()),
            replace(web, name="elsewhere", flavors=web.flavors[:1]),
        ),
    )
    assert [service.shortfall_steps for service in fair(apart).services] == [PROPORTIONAL, ()]


@given(st.integers(0, 500))
def test_a_problem_with_room_for_all_is_left_as_it_is(seed: int) -> None:
    problem = random_problem(seed)
    roomy = replace(problem, pools=tuple(replace(pool, cpu=1e6, memory_gib=1e6) for pool in problem.pools))
    assert fair(roomy) == roomy
