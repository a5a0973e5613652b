"""Status: what a ScalingPlan says of a cycle, and whether that is worth a write. Pure.

Each cycle forecasts anew; writing that would be a write for each service and cycle. A status is
written when something that someone acts on has changed: the counts, what bound them, a condition.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from barista.platforms.knative.conditions import Condition, ConditionType, Truth, with_condition
from barista.platforms.knative.scaling_plan import (
    ChoiceStatus,
    ForecastStatus,
    ReasonStatus,
    ScalingPlanResource,
    ScalingPlanStatus,
)
from barista.values.decision import Applied, Decision
from barista.values.forecast import Forecast
from barista.values.observation import Reading
from barista.values.problem import Plan
from barista.values.service import Authority

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What one cycle saw and concluded about one service."""

    decision: Decision
    demand: Reading
    forecast: Forecast | None
    level: float
    plan: Plan
    applied: Applied | None
    chosen_forecaster: str
    paused: bool = False


def told(seen: Seen, before: ScalingPlanResource | None) -> Mapping[str, Any] | None:
    """The status to be merged into that of `before`; None when it would say nothing new."""
    old = before.status if before is not None else ScalingPlanStatus()
    generation = before.metadata.generation if before is not None else None
    at = _time(seen.decision.at_s)
    conditions = old.conditions
    for aspect in aspects(seen):
        condition = Condition(
            type=aspect.type,
            status=aspect.status,
            reason=aspect.reason,
            message=aspect.message,
            last_transition_time=at,
            observed_generation=generation,
        )
        conditions = with_condition(conditions, condition)
    new = old.model_copy(
        update={
            "observed_generation": generation,
            "forecast": _forecast(seen),
            "choice": _choice(seen),
            "conditions": conditions,
        }
    )
    if before is not None and _essence(new) == _essence(old):
        return None
    parts = {"observedGeneration", "forecast", "choice", "conditions"}
    return {name: value for name, value in new.document().items() if name in parts}


def refused(text: str, at_s: float, before: ScalingPlanResource | None) -> Mapping[str, Any] | None:
    """The status of a service whose settings cannot be followed; None when it says so already."""
    old = before.status if before is not None else ScalingPlanStatus()
    aspect = Aspect(ConditionType.READY, Truth.FALSE, "InvalidSettings", text)
    new = Condition(
        type=aspect.type,
        status=aspect.status,
        reason=aspect.reason,
        message=text,
        last_transition_time=_time(at_s),
    )
    known = next((c for c in old.conditions if c.type == aspect.type), None)
    if known is not None and (known.status, known.reason, known.message) == (new.status, new.reason, text):
        return None
    merged = with_condition(old.conditions, new)
    return {"conditions": [condition.document() for condition in merged]}


@dataclass(frozen=True, slots=True)
class Aspect:
    """One condition, without its time."""

    type: ConditionType
    status: Truth
    reason: str
    message: str


def aspects(seen: Seen) -> Iterable[Aspect]:
    """The conditions that follow from what was seen."""
    rows = (
        (ConditionType.METRICS_AVAILABLE, *_metrics(seen)),
        (ConditionType.FORECAST_READY, *_forecasting(seen)),
        (ConditionType.OPTIMIZATION_SUCCEEDED, *_planning(seen)),
        (ConditionType.APPLIED, *_applying(seen)),
    )
    wrong = next((row for row in rows if not row[1]), None)
    # Advice that is only said is no fault: applied is what was meant to be.
    ready = wrong is None or (wrong[0] is ConditionType.APPLIED and wrong[2] in ("Advising", "Paused"))
    reason, message = ("Scaling", "") if ready or wrong is None else (wrong[2], wrong[3])
    for kind, holds, why, text in (*rows, (ConditionType.READY, ready, reason, message)):
        yield Aspect(kind, Truth.TRUE if holds else Truth.FALSE, why, text)


Row = tuple[bool, str, str]


def _metrics(seen: Seen) -> Row:
    if seen.demand.is_fresh:
        return True, "Fresh", ""
    return False, f"Metrics{seen.demand.freshness.capitalize()}", f"demand is {seen.demand.freshness}"


def _forecasting(seen: Seen) -> Row:
    if seen.forecast is None:
        return False, "NoForecast", "nothing was seen of its demand yet"
    if not seen.forecast.made_by.startswith(seen.chosen_forecaster):
        return False, "StoodIn", f"{seen.chosen_forecaster} is stood in for by {seen.forecast.made_by}"
    return True, "Forecasting", f"by {seen.forecast.made_by}"


def _planning(seen: Seen) -> Row:
    plan = seen.plan
    if plan.is_usable:
        return True, str(plan.status).capitalize(), f"by {plan.planner}"
    return False, "NoPlan", f"{plan.planner}: {plan.status} {plan.note}".strip()


def _applying(seen: Seen) -> Row:
    if seen.paused:
        return False, "Paused", "paused: everything is held as it is"
    if seen.applied is not None and not seen.applied.ok:
        reason = "KnativeTooOld" if seen.applied.text.startswith("Knative ") else "NotApplied"
        return False, reason, seen.applied.text
    if seen.decision.authority is Authority.ADVISE:
        return False, "Advising", "advise: only said, not done"
    return True, "Applied", ""


def _forecast(seen: Seen) -> ForecastStatus | None:
    forecast = seen.forecast
    if forecast is None:
        return None
    return ForecastStatus(
        made_by=forecast.made_by,
        origin=_time(forecast.origin_s),
        step_seconds=forecast.step_s,
        mean=_rounded(forecast.mean),
        level=seen.level,
        quantile=_rounded(forecast.quantile(seen.level)),
    )


def _choice(seen: Seen) -> ChoiceStatus:
    decision = seen.decision
    return ChoiceStatus(
        at=_time(decision.at_s),
        planner=seen.plan.planner,
        raw=dict(decision.raw),
        bounded=dict(decision.bounded),
        final=dict(decision.final),
        reasons=tuple(ReasonStatus(rail=r.rail, text=r.text, binds=r.binds) for r in decision.reasons),
    )


def _essence(status: ScalingPlanStatus) -> tuple[object, ...]:
    """What of a status someone acts on."""
    choice = status.choice
    counts = None if choice is None else (choice.bounded, choice.final)
    binding = () if choice is None else tuple(reason.rail for reason in choice.reasons if reason.binds)
    conditions = {(c.type, c.status, c.reason) for c in status.conditions}
    return counts, binding, frozenset(conditions), status.observed_generation


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(value, DIGITS) for value in values)


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(round(at_s), UTC)
