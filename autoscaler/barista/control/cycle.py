"""The cycle: one pass of observe → foresee → pose → solve → decide.

It stands here once. A live cluster, local processes, a recorded history and a simulated cluster
in virtual time run this same function; only the stages' adapters differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from barista.values.decision import Memory, Outcome
from barista.values.forecast import Forecast
from barista.values.problem import Plan, Problem
from barista.values.service import ServiceId
from barista.values.situation import Situation

Forecasts = Mapping[ServiceId, Forecast]


@dataclass(frozen=True, slots=True)
class Stages:
    """The five stages; each can be replaced by itself."""

    observe: Callable[[Memory, float], Situation]
    foresee: Callable[[Situation], Forecasts]
    pose: Callable[[Situation, Forecasts, float], Problem]
    solve: Callable[[Problem], Plan]
    decide: Callable[[Situation, Forecasts, Plan, float], Outcome]


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything one cycle saw and concluded: what the decision log keeps."""

    situation: Situation
    forecasts: Forecasts
    plan: Plan
    outcome: Outcome


def cycle(stages: Stages, memory: Memory, now_s: float) -> Pass:
    """One pass at `now_s`. Applying the outcome is the platform's part."""
    situation = stages.observe(memory, now_s)
    forecasts = stages.foresee(situation)
    problem = stages.pose(situation, forecasts, now_s)
    plan = stages.solve(problem)
    outcome = stages.decide(situation, forecasts, plan, now_s)
    return Pass(situation, forecasts, plan, outcome)
