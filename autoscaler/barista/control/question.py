"""A question from elsewhere: what would Barista decide in this situation? Values in JSON, both ways.

Whoever has forecasts or a plan of their own gives them; what is missing is made here, the forecast from
the demand that the situation shows, the plan by the rule that needs no solver.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from barista.control.decide import decide
from barista.control.rules import Rules
from barista.forecast.ladder import stand_in
from barista.plan.greedy import GreedyPlanner
from barista.plan.pose import pose
from barista.ports.forecaster import ForecastContext
from barista.values.decision import Outcome
from barista.values.forecast import Forecast
from barista.values.problem import Plan, PlanLimits
from barista.values.series import Demand
from barista.values.service import PluginChoice, ServiceId
from barista.values.situation import ServiceView, Situation

LEVELS = (0.05, 0.5, 0.95, 0.99)
LAST_VALUE = PluginChoice("last-value")


class NotAQuestion(ValueError):
    """What was asked is no situation; the message says where."""


@dataclass(frozen=True, slots=True)
class Question:
    """A situation, with forecasts and a plan where there are any."""

    situation: Situation
    forecasts: Mapping[ServiceId, Forecast] = field(default_factory=dict)
    plan: Plan | None = None


# Tuples of one: pydantic takes no configuration beside a dataclass. Without it inf and NaN become null.
_QUESTION: TypeAdapter[tuple[Question]] = TypeAdapter(
    tuple[Question], config=ConfigDict(ser_json_inf_nan="constants")
)
_OUTCOME: TypeAdapter[tuple[Outcome]] = TypeAdapter(
    tuple[Outcome], config=ConfigDict(ser_json_inf_nan="constants")
)


def read_question(text: bytes) -> Question:
    """The question that the JSON `text` holds. NotAQuestion tells the first place that is wrong."""
    try:
        return _QUESTION.validate_json(b"[" + text + b"]")[0]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
        raise NotAQuestion(f"{where}: {first['msg']}") from error


def write_question(question: Question) -> bytes:
    """The question as JSON."""
    return _QUESTION.dump_json((question,))[1:-1]


def write_outcome(outcome: Outcome) -> bytes:
    """The decisions with their reasons, and the memory to be given with the next question, as JSON."""
    return _OUTCOME.dump_json((outcome,))[1:-1]


def answer(question: Question, rules: Rules) -> Outcome:
    """What is decided at the situation's moment under `rules`."""
    situation = question.situation
    context = ForecastContext(steps=rules.horizon.steps + 2, levels=LEVELS)
    made = (_forecast(view, situation.at_s, rules.horizon.step_s, context) for view in situation.services)
    missing = {
        view.service.id: forecast
        for view, forecast in zip(situation.services, made, strict=True)
        if forecast is not None
    }
    forecasts = {**missing, **question.forecasts}
    plan = question.plan
    if plan is None:
        problem = pose(situation, forecasts, situation.at_s, rules.horizon, rules.capacity)
        plan = GreedyPlanner().plan(problem, PlanLimits())
    return decide(situation, forecasts, plan, situation.at_s, rules)


def _forecast(view: ServiceView, at_s: float, step_s: float, context: ForecastContext) -> Forecast | None:
    seen = view.observation.demand_rps.value
    if seen is None:
        return None
    return stand_in(LAST_VALUE, Demand(at_s - step_s, step_s, np.array([seen])), context)
