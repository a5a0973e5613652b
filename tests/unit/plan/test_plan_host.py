import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from barista.plan.host import PlannerHost
from barista.plan.price import price
from barista.testing.planners import worked_example
from barista.values.problem import FlavorPlan, Plan, PlanLimits, PlanStatus, Problem
from barista.workers import KillingPool
from barista_plugins.mip import MipPlanner

OPTIMAL = Plan(
    {"web": {"small": FlavorPlan((1, 1, 0), (0, 0, 0))}}, PlanStatus.OPTIMAL, "test", cost=0.095, bound=0.095
)
LIMITS = PlanLimits(time_limit_s=0.1)


class Returns:
    name = "test"

    def __init__(self, plan: Any) -> None:
        self._plan = plan

    def plan(self, problem: Problem, limits: PlanLimits) -> Any:
        return self._plan


class Raises:
    name = "test"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        raise RuntimeError("no licence\nand more that nobody reads")


class Hangs:
    name = "test"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        time.sleep(600)
        return OPTIMAL


class Crashes:
    name = "test"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        os._exit(7)


@pytest.fixture(scope="module")
def pool() -> Iterator[KillingPool]:
    with KillingPool() as workers:
        yield workers


def test_a_good_plan_passes_untouched() -> None:
    host = PlannerHost(Returns(OPTIMAL), LIMITS)
    assert host.solve(worked_example()).services == OPTIMAL.services
    assert host.health() is None


def test_a_problem_without_services_is_solved_by_an_empty_plan() -> None:
    plan = PlannerHost(Raises(), LIMITS).solve(replace(worked_example(), services=()))
    assert (plan.status, plan.services, plan.cost) == (PlanStatus.OPTIMAL, {}, 0.0)


def test_the_cost_is_the_checks_not_the_planners() -> None:
    plan = PlannerHost(Returns(replace(OPTIMAL, cost=0.01, bound=0.009)), LIMITS).solve(worked_example())
    assert plan.cost == pytest.approx(0.095)
    assert plan.bound == pytest.approx(0.009)


def test_a_bound_above_the_cost_is_not_believed() -> None:
    plan = PlannerHost(Returns(replace(OPTIMAL, bound=5.0)), LIMITS).solve(worked_example())
    assert plan.bound is None


@pytest.mark.parametrize(
    ("planner", "fault"),
    [
        (Raises(), "test: RuntimeError: no licence"),
        (Returns(None), "test: returned NoneType, not a Plan"),
        (Returns(Plan({}, PlanStatus.INFEASIBLE, "test", note="too small")), "test: infeasible: too small"),
        (Returns(Plan({}, PlanStatus.TIMED_OUT, "test")), "test: timed-out"),
        (
            Returns(replace(OPTIMAL, services={"web": {"small": FlavorPlan((9, 0, 0), (0, 0, 0))}})),
            "test: plan refused: maximum",
        ),
        (
            Returns(replace(OPTIMAL, services={"db": {}})),
            "test: plan refused: service 'db': not in the problem",
        ),
        (
            Returns(
                replace(OPTIMAL, services={"web": {"small": FlavorPlan((float("nan"),) * 3, (0, 0, 0))}})
            ),  # type: ignore[arg-type]  # what a plug-in may return
            "test: plan refused: service 'web'",
        ),
    ],
)
def test_whatever_a_planner_does_wrong_greedy_plans_instead(planner: Any, fault: str) -> None:
    host = PlannerHost(planner, LIMITS)
    plan = host.solve(worked_example())
    assert plan.is_usable
    assert plan.planner == "greedy"
    assert price(worked_example(), plan).feasible
    assert plan.note.startswith(fault)
    assert "\n" not in plan.note
    assert (host.health() or "").startswith(fault)


def test_a_hung_planner_is_ended_and_greedy_plans(pool: KillingPool) -> None:
    plan = PlannerHost(Hangs(), LIMITS, pool, grace_s=1.0).solve(worked_example())
    assert plan.planner == "greedy"
    assert "no answer 1 s after its time limit: ended" in plan.note


def test_a_crashed_planner_is_replaced_and_greedy_plans(pool: KillingPool) -> None:
    plan = PlannerHost(Crashes(), LIMITS, pool, grace_s=60.0).solve(worked_example())
    assert plan.planner == "greedy"
    assert plan.note.startswith("test: ")
    after = PlannerHost(Returns(OPTIMAL), LIMITS, pool, grace_s=60.0).solve(worked_example())
    assert after.planner == "test"


def test_where_greedy_has_no_plan_either_the_answer_is_to_hold() -> None:
    problem = worked_example()
    too_small = replace(problem, pools=(replace(problem.pools[0], cpu=0.5),))
    plan = PlannerHost(Raises(), LIMITS).solve(too_small)
    assert plan.status is PlanStatus.FAILED
    assert not plan.is_usable
    assert "test: RuntimeError: no licence; greedy: infeasible: pool 'main'" in plan.note


def test_health_is_restored_by_the_next_good_plan() -> None:
    class Recovers(Returns):
        calls = 0

        def plan(self, problem: Problem, limits: PlanLimits) -> Any:
            self.calls += 1
            return OPTIMAL if self.calls > 1 else None

    host = PlannerHost(Recovers(None), LIMITS)
    host.solve(worked_example())
    assert host.health() is not None
    host.solve(worked_example())
    assert host.health() is None


def test_the_exact_planner_works_in_a_worker(pool: KillingPool) -> None:
    plan = PlannerHost(MipPlanner(), PlanLimits(time_limit_s=60), pool).solve(worked_example())
    assert (plan.planner, plan.status) == ("mip", PlanStatus.OPTIMAL)
    assert plan.cost == pytest.approx(0.095)
