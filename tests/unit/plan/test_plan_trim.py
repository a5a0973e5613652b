import pytest

from barista.plan.counts import minimum_binds_from
from barista.plan.draft import Draft, Terms
from barista.plan.greedy import GreedyPlanner
from barista.plan.price import price
from barista.plan.trim import trim
from barista.testing.planners import random_problem, worked_example
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem


def bare(problem: Problem) -> Draft:
    service = problem.services[0]
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    return Draft(Terms.of(problem, service, flavors, minimum_binds_from(problem)[service.name]))


def test_a_stay_that_serves_nothing_is_given_back() -> None:
    draft = bare(worked_example())
    draft.prolong(0, 2, 3)
    draft.start(0, 0, 3, 5)
    trim(draft)
    assert draft.started[0].tolist() == [2, 0, 0]


def test_two_stays_that_overlap_become_one() -> None:
    problem = worked_example()
    draft = bare(problem)
    draft.start(0, 1, 3)
    trim(draft)
    kept = price(problem, Plan({"web": draft.plan()}, PlanStatus.FEASIBLE, "by hand"))
    assert kept.feasible
    assert draft.cost == pytest.approx(kept.cost)
    assert draft.started[0].sum() == 0
    assert draft.paid[0].tolist() == [1, 1, 1]


def test_what_a_draft_says_it_costs_is_what_its_plan_costs() -> None:
    for seed in range(100, 160):
        problem = random_problem(seed)
        plan = GreedyPlanner().plan(problem, PlanLimits())
        assert plan.cost == pytest.approx(price(problem, plan).cost)
