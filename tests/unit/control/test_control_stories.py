"""Stories: a service over time, cycle by cycle, with a plan that wants what it is told to want."""

from dataclasses import dataclass, field, replace

import pytest
from core_world import (
    NOW,
    make_forecast,
    make_plan,
    make_service,
    make_view,
    rules,
    seen,
    situation,
)

from barista.control.decide import decide
from barista.control.rules import Rules
from barista.control.surge import surge
from barista.values.decision import Decision, Memory
from barista.values.problem import Plan, PlanStatus
from barista.values.service import ServiceId
from barista.values.situation import Situation

A = ServiceId("default/a")
UNUSABLE = Plan({}, PlanStatus.INFEASIBLE, "made-up")


@dataclass
class Tale:
    """One service on small replicas; what is decided is there at the next look."""

    rules: Rules
    held: int
    now_s: float = NOW
    memory: Memory = field(default_factory=Memory)
    known: bool = True
    max_replicas: int = 20

    def cycle(
        self, wanted: int | None, after_s: float = 30, demand: float | None = 5, in_flight: float | None = 0
    ) -> Decision:
        """One cycle `after_s` later; `wanted` is what the plan wants (None: there is no usable plan)."""
        self.now_s += after_s
        more = 0 if wanted is None else wanted - self.held
        plan = UNUSABLE if wanted is None else make_plan({A: {"small": ([max(0, more)], [max(0, -more)])}})
        forecast = make_forecast(5, origin=self.now_s)
        outcome = decide(self._look(demand, in_flight), {A: forecast}, plan, self.now_s, self.rules)
        return self._take(outcome.memory, outcome.decisions[0])

    def surge(self, in_flight: float | None, after_s: float = 2, age_s: float = 0) -> Decision | None:
        """One look of surge `after_s` later, at figures that are `age_s` old."""
        self.now_s += after_s
        outcome = surge(self._look(5, in_flight, age_s), self.now_s, self.rules)
        self.memory = outcome.memory
        return self._take(outcome.memory, outcome.decisions[0]) if outcome.decisions else None

    def restart(self) -> None:
        self.memory = Memory()

    def _look(self, demand: float | None, in_flight: float | None, age_s: float = 0) -> Situation:
        at_s = self.now_s - age_s
        observation = seen(A, demand, in_flight, at=at_s, now=self.now_s)
        held = {"small": self.held} if self.known else None
        view = make_view(held, make_service(max_replicas=self.max_replicas), observation)
        return replace(situation(view, at=self.now_s), memory=self.memory)

    def _take(self, memory: Memory, decision: Decision) -> Decision:
        self.memory = memory
        if self.known:
            self.held = sum(decision.final.values())
        return decision


def settled(held: int, **rails: float) -> Tale:
    """A service that has been seen for long, and wanted what it holds."""
    tale = Tale(rules(**rails), held)
    for _ in range(6):
        tale.cycle(held)
    return tale


def test_a_ramp_is_followed_up_at_once_and_down_after_the_window() -> None:
    tale = settled(2)
    assert [sum(tale.cycle(n).final.values()) for n in (3, 5, 8)] == [3, 5, 8]
    # 8 was wanted at second 0; with a window of 120 s it counts up to second 90.
    assert [tale.cycle(3).binding for _ in range(3)] == [("stabilisation",)] * 3
    assert tale.held == 8
    assert tale.cycle(3).final == {"small": 3}


def test_in_a_compressed_run_the_window_is_as_long_as_it_is_set() -> None:
    tale = settled(2, stabilisation_s=10)
    tale.cycle(6, after_s=2)
    tale.cycle(2, after_s=8)
    assert tale.held == 6
    tale.cycle(2, after_s=2)
    assert tale.held == 2


def test_a_restart_lowers_nothing_until_demand_was_seen_for_the_window() -> None:
    tale = settled(6)
    tale.restart()
    seen_for = []
    for elapsed in range(0, 180, 30):
        if tale.cycle(1).final == {"small": 1}:
            break
        seen_for.append(elapsed)
    assert seen_for == [0, 30, 60, 90]
    assert tale.held == 1


def test_a_restart_does_not_hold_back_what_must_be_raised() -> None:
    tale = settled(2)
    tale.restart()
    assert tale.cycle(5).final == {"small": 5}
    assert tale.cycle(5, in_flight=40).final == {"small": 8}


def test_a_blind_spell_holds_and_a_low_figure_right_after_it_is_not_believed() -> None:
    tale = settled(6)
    for _ in range(10):
        decision = tale.cycle(1, demand=None)
        assert decision.final == {"small": 6}
        assert decision.binding == ("hold when blind",)
    assert tale.cycle(1, demand=0.0).final == {"small": 6}
    for _ in range(3):
        tale.cycle(1)
    assert tale.held == 6
    tale.cycle(1)
    tale.cycle(1)
    assert tale.held == 1


def test_an_outage_of_the_platform_changes_nothing_and_lowers_nothing_after_it() -> None:
    tale = settled(6)
    tale.known = False
    for _ in range(10):
        decision = tale.cycle(0)
        assert decision.changes == ()
        assert decision.binding == ("hold when blind",)
    tale.known = True
    assert tale.cycle(1).final == {"small": 6}


@pytest.mark.parametrize("cycles", [1, 10])
def test_without_a_usable_plan_a_service_stays_as_it_is(cycles: int) -> None:
    tale = settled(4)
    for _ in range(cycles):
        decision = tale.cycle(None)
        assert decision.changes == ()
        assert "no plan (infeasible): hold" in decision.reasons[0].text
    assert tale.held == 4


def test_a_backlog_during_a_start_orders_no_more_than_the_maximum() -> None:
    tale = Tale(rules(), 1, max_replicas=5)
    orders = [sum(tale.cycle(1, after_s=5, in_flight=n).final.values()) for n in (5, 9, 9, 80, 400, 900)]
    assert orders == [1, 2, 2, 5, 5, 5]


def test_a_margin_does_not_compound_from_cycle_to_cycle() -> None:
    tale = settled(2, safety_margin=3)  # 3 x 5 requests/s need two
    assert [sum(tale.cycle(None).final.values()) for _ in range(5)] == [2] * 5


def test_surge_raises_between_cycles_and_its_boost_expires() -> None:
    tale = settled(2)
    raised = tale.surge(in_flight=25)
    assert raised is not None
    assert raised.final == {"medium": 2, "small": 1}
    tale = settled(2)
    assert tale.surge(in_flight=10) is None  # two answer 10 in time
    boosted = tale.surge(in_flight=11)
    assert boosted is not None
    assert boosted.final == {"medium": 1, "small": 1}
    assert [reason.rail for reason in boosted.reasons] == ["surge"]
    assert boosted.ready_at_s == boosted.at_s  # in place: at once


def test_the_next_cycles_honour_the_boost_while_it_lasts() -> None:
    tale = Tale(rules(stabilisation_s=0, hysteresis=0), 2)
    tale.cycle(2)
    tale.surge(in_flight=25)
    held = tale.held
    tale.held = 5  # as many small replicas as serve what was asked for
    assert held == 3
    assert tale.cycle(2, after_s=20).binding == ("surge boost",)
    assert tale.held == 5
    assert tale.cycle(2, after_s=10).final == {"small": 2}


def test_surge_is_off_without_figures_of_the_last_seconds_and_says_so() -> None:
    tale = settled(2)
    assert tale.surge(in_flight=400, age_s=6) is None
    assert "surge is off: in flight is 6 s old" in [r.text for r in tale.cycle(2).reasons]
    assert tale.surge(in_flight=None) is None
    assert "surge is off: in flight is missing" in [r.text for r in tale.cycle(2).reasons]
    tale.surge(in_flight=0)
    assert [r.rail for r in tale.cycle(2).reasons] == ["plan"]


def test_surge_raises_right_after_a_restart() -> None:
    tale = settled(2)
    tale.restart()
    raised = tale.surge(in_flight=11)
    assert raised is not None
    assert raised.final == {"medium": 1, "small": 1}
