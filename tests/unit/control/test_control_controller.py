"""The controller's rhythms, the cycle's order, what observing makes of absent parts, and learning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core_world import CATALOGUE, NOW, PROFILES, make_forecast, make_plan, make_service, rules, seen

from barista.control.controller import Controller, Rhythm
from barista.control.cycle import Pass, Stages, cycle
from barista.control.decide import decide
from barista.control.log import DecisionLog, LogFiles
from barista.control.observe import Watched, observe
from barista.control.surge import surge
from barista.plan.pose import pose
from barista.ports.platform import PlatformUnavailable
from barista.values.decision import Applied, Decision, Memory, Outcome
from barista.values.observation import Observation
from barista.values.problem import Plan, Problem
from barista.values.replica import Phase, Replica, count_by_flavor
from barista.values.series import Demand
from barista.values.service import Authority, DispatchRule, Service, ServiceId
from barista.values.situation import Situation

SERVICE = make_service(min_replicas=1)
A = SERVICE.id
RULES = rules()
WATCHED = Watched(CATALOGUE, [SERVICE], {A: PROFILES})


@dataclass
class Shelf:
    """A platform on which what is ordered is there at once; it can be away."""

    held: dict[str, int] = field(default_factory=lambda: {"small": 1})
    away: bool = False
    refuses: bool = False

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        if self.away:
            raise PlatformUnavailable("the agent does not answer")
        there = (Replica(f"{f}-{i}", A, f, Phase.READY, 0.0) for f, n in self.held.items() for i in range(n))
        return {A: tuple(there)}

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        if self.away:
            raise PlatformUnavailable("the agent does not answer")
        for decision in decisions:
            assert decision.authority is not Authority.ADVISE
            if not self.refuses:
                self.held = dict(decision.final)
        return tuple(Applied(d.service, not self.refuses, "no node" * self.refuses) for d in decisions)

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:
        return DispatchRule.ROUND_ROBIN


@dataclass
class Gauge:
    """A metric source that shows what it is told; services it does not know are left out."""

    demand: float | None = 5.0
    in_flight: float | None = 0.0
    histories: dict[ServiceId, Demand] = field(default_factory=dict)
    asked: list[tuple[float, float]] = field(default_factory=list)

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        return {A: seen(A, self.demand, self.in_flight, at=now_s, now=now_s)}

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        self.asked.append((start_s, end_s))
        return {s: self.histories[s] for s in services if s in self.histories}


def controller(
    shelf: Shelf, gauge: Gauge, wanted: list[int], log: DecisionLog | None = None
) -> tuple[Controller, list[str]]:
    """Cycles every 30 s, surge every 2 s; the plan wants the next of `wanted` small replicas."""
    done: list[str] = []

    def look(memory: Memory, now_s: float) -> Situation:
        return observe(WATCHED, shelf, gauge, memory, now_s, 60, 10)

    def solve(problem: Problem) -> Plan:
        more = wanted[min(len(done) - 1, len(wanted) - 1)] - sum(shelf.held.values())
        return make_plan({A: {"small": ([max(0, more)], [max(0, -more)])}} if problem.services else {})

    def turn(memory: Memory, now_s: float) -> Pass:
        done.append(f"cycle {now_s:g}")
        stages = Stages(
            observe=look,
            foresee=lambda given: {A: make_forecast(5, origin=given.at_s)},
            pose=lambda given, forecasts, at_s: pose(given, forecasts, at_s, RULES.horizon, RULES.capacity),
            solve=solve,
            decide=lambda given, forecasts, plan, at_s: decide(given, forecasts, plan, at_s, RULES),
        )
        return cycle(stages, memory, now_s)

    def raise_now(memory: Memory, now_s: float) -> Outcome:
        done.append(f"surge {now_s:g}")
        return surge(look(memory, now_s), now_s, RULES)

    return Controller(turn, shelf, Rhythm(30, 10), raise_now, log=log), done


def test_cycles_and_surge_take_turns_and_the_next_call_is_named() -> None:
    it, done = controller(Shelf(), Gauge(), [1])
    due, times = NOW, []
    while due < NOW + 61:
        times.append(due - NOW)
        due = it.tick(due)
    assert times == [0, 10, 20, 30, 40, 50, 60]
    assert [word.split()[0] for word in done] == ["cycle", "surge", "surge"] * 2 + ["cycle"]
    assert it.memory.cycles == 3


def test_a_call_before_anything_is_due_does_nothing() -> None:
    it, done = controller(Shelf(), Gauge(), [1])
    due = it.tick(NOW)
    assert it.tick(NOW + 1) == due
    assert len(done) == 1


def test_without_surge_only_cycles_are_due() -> None:
    shelf = Shelf()
    it, _ = controller(shelf, Gauge(), [1])
    quiet = Controller(it.turn, shelf, Rhythm(30))
    assert [quiet.tick(NOW), quiet.tick(NOW + 30)] == [NOW + 30, NOW + 60]


def test_what_is_decided_is_carried_out_by_cycle_and_by_surge() -> None:
    shelf, gauge = Shelf(), Gauge()
    it, _ = controller(shelf, gauge, [2, 2])
    it.tick(NOW)
    assert shelf.held == {"small": 2}
    gauge.in_flight = 11
    it.tick(NOW + 10)
    assert shelf.held == {"medium": 1, "small": 1}


def test_a_platform_that_goes_away_stops_nothing_and_is_recorded(tmp_path: Path) -> None:
    shelf = Shelf({"small": 2})
    it, _ = controller(shelf, Gauge(), [4, 1, 1], DecisionLog(tmp_path, RULES))
    away_at_apply, shelf.state = shelf.state, lambda: {A: ()}
    shelf.away = True
    it.tick(NOW)
    assert "does not answer" in LogFiles(tmp_path).problems.read_text()
    shelf.state = away_at_apply
    it.tick(NOW + 30)
    shelf.away = False
    it.tick(NOW + 60)
    assert shelf.held == {"small": 2}


def test_what_the_platform_refuses_is_recorded(tmp_path: Path) -> None:
    shelf = Shelf(refuses=True)
    it, _ = controller(shelf, Gauge(), [3], DecisionLog(tmp_path, RULES))
    it.tick(NOW)
    assert shelf.held == {"small": 1}
    assert "no node" in LogFiles(tmp_path).problems.read_text()


def test_observing_marks_what_is_absent_instead_of_guessing() -> None:
    other = make_service("b")
    both = Watched(CATALOGUE, [SERVICE, other], {A: PROFILES})
    there = observe(both, Shelf({"small": 1, "large": 1}), Gauge(), Memory(), NOW, 60, 10)
    a, b = there.services
    assert count_by_flavor(a.replicas or ()) == {"small": 1, "large": 1}
    assert a.dispatch is DispatchRule.ROUND_ROBIN
    assert b.replicas == ()
    assert b.profiles == {}
    assert b.observation == Observation.missing(other.id)
    away = observe(both, Shelf(away=True), Gauge(demand=None), Memory(), NOW, 60, 10)
    assert [view.replicas for view in away.services] == [None, None]
    assert away.services[0].observation.demand_rps.value is None
