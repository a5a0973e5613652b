import time
from pathlib import Path

import pytest

from barista.plan.auto import AutoPlanner
from barista.plan.greedy import GreedyPlanner
from barista.plan.host import PlannerHost
from barista.plan.price import price
from barista.plan.rehearsal import REHEARSED
from barista.testing.planners import worked_example
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem
from barista.workers import Inline, KillingPool


class Remembers:
    """Greedy, which tells in its plan's phases how many problems it has seen."""

    name = "remembers"

    def __init__(self, busy_s: float = 0.0) -> None:
        self._busy_s = busy_s
        self._seen: list[str] = []

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        if not self._seen:
            time.sleep(self._busy_s)
        self._seen.append(problem.name)
        plan = GreedyPlanner().plan(problem, limits)
        return Plan(
            plan.services, PlanStatus.FEASIBLE, self.name, plan.cost, seconds={"seen": len(self._seen)}
        )


def test_what_is_rehearsed_can_be_planned() -> None:
    plan = GreedyPlanner().plan(REHEARSED, PlanLimits())
    assert price(REHEARSED, plan).feasible


def test_a_worker_keeps_the_planner_from_the_rehearsal_on() -> None:
    with KillingPool() as pool:
        host = PlannerHost(Remembers(), PlanLimits(time_limit_s=60), pool)
        host.prepare()
        assert [host.solve(worked_example()).seconds["seen"] for _ in range(2)] == [2, 3]


def test_two_hosts_never_plan_by_each_others_planner() -> None:
    one, other = (PlannerHost(Remembers(), PlanLimits(time_limit_s=60), Inline()) for _ in range(2))
    seen = [host.solve(worked_example()).seconds["seen"] for host in (one, other, one)]
    assert seen == [1, 1, 2]


def test_until_the_rehearsal_is_over_greedy_plans_and_says_why() -> None:
    with KillingPool() as pool:
        host = PlannerHost(Remembers(busy_s=600), PlanLimits(time_limit_s=0.1), pool)
        host.prepare()
        plan = host.solve(worked_example())
    assert plan.planner == "greedy"
    assert "remembers: getting ready" in plan.note


class HangsOnce(Remembers):
    """Hangs at the first problem that is none of its rehearsal's, until `flag` is there."""

    def __init__(self, flag: Path) -> None:
        super().__init__()
        self._flag = flag

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        if problem.name != REHEARSED.name and not self._flag.exists():
            self._flag.touch()
            time.sleep(600)
        return super().plan(problem, limits)


def test_a_worker_that_was_ended_is_replaced_and_rehearsed_again(tmp_path: Path) -> None:
    with KillingPool() as pool:
        host = PlannerHost(HangsOnce(tmp_path / "hung"), PlanLimits(time_limit_s=20), pool, grace_s=-19.5)
        host.prepare()
        ended, after = host.solve(worked_example()), host.solve(worked_example())
    assert "ended" in ended.note
    assert after.seconds["seen"] == 2


def test_workers_that_cannot_be_had_cost_nothing_but_thrift() -> None:
    pool = KillingPool()
    pool.shutdown()
    host = PlannerHost(Remembers(), PlanLimits(time_limit_s=20), pool)
    host.prepare()
    plan = host.solve(worked_example())
    assert plan.planner == "greedy"
    assert "not active" in plan.note


def test_the_first_cycle_with_nothing_compiled_is_planned_by_greedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with KillingPool() as pool:
        host = PlannerHost(AutoPlanner(), PlanLimits(time_limit_s=0.1), pool, grace_s=0.1)
        host.prepare()
        plans = [host.solve(worked_example()) for _ in range(3)]
    assert [plan.planner for plan in plans] == ["greedy"] * 3
    assert all("auto: getting ready (loading or compiling)" in plan.note for plan in plans)
