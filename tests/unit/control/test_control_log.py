"""The decision log: what it writes, what survives a kill, and that it can be explained."""

import json
from dataclasses import replace
from pathlib import Path

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

from barista.control import log as log_module
from barista.control.cycle import Pass
from barista.control.decide import decide
from barista.control.explain import NothingToExplain, explain, latest_pass
from barista.control.log import DecisionLog, LogFiles, decode_pass, encode_pass
from barista.values.decision import Applied, Memory, ServiceMemory
from barista.values.observation import Reading
from barista.values.series import Demand
from barista.values.service import ServiceId

A = ServiceId("default/a")
RULES = rules()


def make_pass(at_s: float = NOW) -> Pass:
    """One small replica becomes a medium one, and another medium one is started."""
    view = make_view({"small": 1}, observation=seen(A, demand=28, latency=0.3, in_flight=2))
    given = replace(situation(view), at_s=at_s)
    plan = make_plan({A: {"medium": ([2], [], [1]), "small": ([], [1])}})
    forecasts = {A: make_forecast(30, 38, 30, origin=at_s)}
    return Pass(given, forecasts, plan, decide(given, forecasts, plan, at_s, RULES))


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_cycle_leaves_a_line_and_each_change_one_of_its_own(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "run", RULES)
    log.cycle(make_pass(), seconds=0.25)
    log.not_applied(Applied(A, ok=False, text="no node"))
    files = LogFiles(tmp_path / "run")

    vertical, horizontal = lines(files.decisions)
    shared = {
        "at": NOW,
        "service": A,
        "ready_at": NOW + 20,
        "raw": {"medium": 2},
        "bounded": {"medium": 2},
        "final": {"medium": 2},
        "reasons": [{"rail": "plan", "text": "planned, in place by made-up on made-up", "binds": False}],
    }
    change = {"kind": "vertical", "flavor": "medium", "from": "small", "to": "medium", "count": 1}
    assert vertical == shared | change
    assert horizontal == shared | {"kind": "horizontal", "flavor": "medium", "from": 1, "to": 2}

    (cycle,) = lines(files.cycles)
    assert cycle["at"] == NOW
    assert cycle["cycle_ms"] == 250
    assert cycle["plan"] == {
        "status": "optimal",
        "planner": "made-up",
        "cost": None,
        "bound": None,
        "seconds": 0,
    }
    service = cycle["services"][A]
    assert service["demand_rps"] == 28
    assert service["capacity_rps"] == 10
    assert service["replicas"] == {"small": {"starting": 0, "ready": 1, "draining": 0}}
    assert service["target"] == {"medium": 2}
    assert service["forecast"]["mean"] == [30, 38, 30]
    assert lines(files.problems) == [{"service": A, "text": "no node"}]


def test_what_a_killed_writer_left_of_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    DecisionLog(tmp_path, RULES).cycle(make_pass(), 0.1)
    files = LogFiles(tmp_path)
    for path in (files.cycles, files.decisions, files.passes):
        with path.open("a") as out:
            out.write('{"at": 12')
    log = DecisionLog(tmp_path, RULES)
    log.cycle(make_pass(NOW + 30), 0.1)
    assert [line["at"] for line in lines(files.cycles)] == [NOW, NOW + 30]
    assert len(lines(files.passes)) == 2
    assert latest_pass(tmp_path).situation.at_s == NOW + 30


def test_stored_passes_are_bounded_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "PASSES_KEPT", 3)
    stored = []
    for restart in range(6):
        log = DecisionLog(tmp_path, RULES)
        for i in range(2):
            log.cycle(make_pass(NOW + 2 * restart + i), 0.1)
            stored.append(len(lines(LogFiles(tmp_path).passes)))
    assert max(stored) <= 6
    assert latest_pass(tmp_path).situation.at_s == NOW + 11


def test_a_stored_pass_keeps_what_is_unknown_not_a_number_or_without_bound() -> None:
    done = make_pass()
    view = done.situation.services[0]
    odd = replace(view.observation, latency_s=Reading.fresh(float("inf"), NOW), in_flight=Reading.missing())
    given = replace(done.situation, services=(replace(view, observation=odd, replicas=None),))
    done = Pass(given, {}, replace(done.plan, bound=float("-inf")), decide(given, {}, done.plan, NOW, RULES))
    assert decode_pass(encode_pass(done)) == done


def test_recent_demand_is_not_stored_for_deciding_does_not_read_it() -> None:
    import numpy as np

    done = make_pass()
    view = done.situation.services[0]
    recent = replace(view.observation, recent=Demand(NOW, 10, np.array([1.0, np.nan])))
    given = replace(done.situation, services=(replace(view, observation=recent),))
    assert decode_pass(encode_pass(replace(done, situation=given))) == done


def test_a_line_that_is_no_pass_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        decode_pass('[{"situation": ')


def test_an_explanation_shows_demand_candidates_and_the_decision() -> None:
    done = make_pass()
    found = explain(done, A, RULES)
    assert found.repeats
    assert found.decision == done.outcome.decisions[0]
    assert found.demand_bought_rps == 38
    assert [(c.flavor, c.replicas, c.cost_per_hour) for c in found.candidates] == [
        ("small", 4, 0.4),
        ("medium", 2, 0.42),
        ("large", 1, 0.5),
    ]


def test_an_explanation_says_when_deciding_again_differs() -> None:
    done = make_pass()
    other = replace(done.outcome.decisions[0], final={"small": 9})
    changed = replace(done, outcome=replace(done.outcome, decisions=(other,)))
    assert not explain(changed, A, RULES).repeats


def test_an_explanation_of_a_service_without_forecast_holds() -> None:
    given = situation(make_view({"small": 1}, make_service(), seen(A, None)), memory=Memory())
    plan = make_plan({})
    found = explain(Pass(given, {}, plan, decide(given, {}, plan, NOW, RULES)), A, RULES)
    assert found.demand_bought_rps is None
    assert [c.replicas for c in found.candidates] == [None, None, None]
    assert [r.rail for r in found.decision.reasons] == ["plan", "hold when blind"]


def test_nothing_to_explain_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(NothingToExplain, match="no cycle recorded yet"):
        latest_pass(tmp_path)
    with pytest.raises(NothingToExplain, match=r"service default/b: not in the recorded cycle.*default/a"):
        explain(make_pass(), ServiceId("default/b"), RULES)


def test_memory_survives_the_log_with_its_notes() -> None:
    done = make_pass()
    memory = Memory({A: ServiceMemory(surge_off="in flight is missing", seen_at_s=1.5)}, 7)
    done = replace(done, situation=replace(done.situation, memory=memory))
    assert decode_pass(encode_pass(done)).situation.memory == memory
