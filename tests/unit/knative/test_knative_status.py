"""What a ScalingPlan says of a cycle, and that nothing is written when nothing changed."""

from dataclasses import replace
from typing import Any

import pytest
from knative_world import ID, NOW, Server, decision, plan_object, snapshot

from barista.platforms.knative.events import Events
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.platforms.knative.status import Seen, aspects, refused, told
from barista.values.decision import Applied, Reason
from barista.values.forecast import Forecast
from barista.values.observation import Reading
from barista.values.problem import Plan, PlanStatus
from barista.values.service import Authority

FORECAST = Forecast(NOW, 10, (5.0, 6.0), (0.5, 0.95), ((5.0, 6.0), (7.0, 8.0)), "ensemble")
SEEN = Seen(
    decision=decision({"cpu-1": 2}, reasons=(Reason("plan", "planned"),)),
    demand=Reading.fresh(5.0, NOW),
    forecast=FORECAST,
    level=0.95,
    plan=Plan({}, PlanStatus.OPTIMAL, "greedy"),
    applied=Applied(ID, ok=True),
    chosen_forecaster="ensemble",
)


def written(seen: Seen, before: Any) -> Any:
    """The plan's object after `seen` was told."""
    status = told(seen, ScalingPlanResource.read(before))
    return None if status is None else {**before, "status": {**before["status"], **status}}


def test_the_first_cycle_is_told_and_one_like_it_is_not() -> None:
    first = written(SEEN, plan_object())
    assert {c["type"]: c["status"] for c in first["status"]["conditions"]} == dict.fromkeys(
        ("MetricsAvailable", "ForecastReady", "OptimizationSucceeded", "Applied", "Ready"), "True"
    )
    assert first["status"]["forecast"]["quantile"] == [7, 8]
    later = replace(
        SEEN,
        decision=replace(SEEN.decision, at_s=NOW + 30),
        forecast=replace(FORECAST, origin_s=NOW + 30, mean=(5.5, 6.5)),
    )
    assert told(later, ScalingPlanResource.read(first)) is None


@pytest.mark.parametrize(
    ("change", "condition", "reason", "ready"),
    [
        ({"demand": Reading.missing()}, "MetricsAvailable", "MetricsMissing", False),
        ({"forecast": None}, "ForecastReady", "NoForecast", False),
        ({"forecast": replace(FORECAST, made_by="last-value")}, "ForecastReady", "StoodIn", False),
        ({"plan": Plan({}, PlanStatus.INFEASIBLE, "mip")}, "OptimizationSucceeded", "NoPlan", False),
        ({"applied": Applied(ID, ok=False, text="no node")}, "Applied", "NotApplied", False),
        (
            {"applied": Applied(ID, ok=False, text="Knative 1.20.0: too old")},
            "Applied",
            "KnativeTooOld",
            False,
        ),
        ({"decision": decision({"cpu-1": 2}, Authority.ADVISE)}, "Applied", "Advising", True),
        ({"paused": True}, "Applied", "Paused", True),
    ],
)
def test_what_stands_in_the_way_is_a_condition(
    change: dict[str, Any], condition: str, reason: str, ready: bool
) -> None:
    found = {a.type.value: a for a in aspects(replace(SEEN, **change))}
    assert (found[condition].status, found[condition].reason) == ("False", reason)
    assert (found["Ready"].status == "True") is ready
    assert told(replace(SEEN, **change), ScalingPlanResource.read(written(SEEN, plan_object()))) is not None


def test_refused_settings_are_told_once() -> None:
    before = plan_object()
    status = refused("annotation x: no", NOW, ScalingPlanResource.read(before))
    assert status is not None
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("Ready", "False", "InvalidSettings")
    ]
    after = ScalingPlanResource.read({**before, "status": status})
    assert refused("annotation x: no", NOW + 30, after) is None
    assert refused("annotation y: no", NOW + 30, after) is not None


def test_events_are_told_on_change_only() -> None:
    server: Any = Server()
    events, service = Events(server, "me"), snapshot().services[ID]
    for text in ("after 8 s", "after 16 s"):
        events.tell(service, "NotApplied", text, topic="Applied")
    assert len(server.asked) == 1
    events.over(ID, "Applied")
    events.tell(service, "NotApplied", "after 8 s", topic="Applied")
    events.tell(service, "InvalidSettings", "a")
    events.tell(service, "InvalidSettings", "b")
    events.tell(service, "InvalidSettings", "b")
    notes = [body["note"] for _, _, body in server.asked]
    assert notes == ["after 8 s", "after 8 s", "a", "b"]
    assert server.asked[0][2]["regarding"]["name"] == "resnet"
