from dataclasses import replace
from typing import Any

import pytest

from barista.plan import auto
from barista.plan.auto import AutoPlanner
from barista.plugins import PluginError
from barista.testing.planners import worked_example
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem

LIMITS = PlanLimits(time_limit_s=10)


class Answers:
    name = "mip"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        return self._plan


def exact_is(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    monkeypatch.setattr(auto, "load_plugin", lambda group, name: Answers(plan))


def test_small_problems_are_solved_to_proven_optimality() -> None:
    plan = AutoPlanner().plan(worked_example(), LIMITS)
    assert plan.status is PlanStatus.OPTIMAL
    assert plan.planner == "auto (mip)"
    assert plan.cost == pytest.approx(0.095)
    assert plan.bound == pytest.approx(0.095)


def test_without_the_exact_planner_greedys_plan_stands_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> Any:
        raise PluginError("planner 'mip': no such plug-in installed")

    monkeypatch.setattr(auto, "load_plugin", missing)
    plan = AutoPlanner().plan(worked_example(), LIMITS)
    assert plan.planner == "auto (greedy)"
    assert "no such plug-in" in plan.note


def test_when_the_exact_planner_finds_nothing_in_time_greedys_plan_keeps_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact_is(monkeypatch, Plan({}, PlanStatus.TIMED_OUT, "mip", bound=0.09, note="none found"))
    plan = AutoPlanner().plan(worked_example(), LIMITS)
    assert (plan.planner, plan.status, plan.bound) == ("auto (greedy)", PlanStatus.FEASIBLE, 0.09)
    assert plan.note == "mip: timed-out: none found"


def test_proven_infeasible_is_said_where_greedy_has_no_plan_either() -> None:
    problem = worked_example()
    crowded = replace(problem, pools=(replace(problem.pools[0], cpu=0.5),))
    plan = AutoPlanner().plan(crowded, LIMITS)
    assert plan.status is PlanStatus.INFEASIBLE
