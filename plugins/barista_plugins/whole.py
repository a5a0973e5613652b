"""The whole problem as one program for CBC: settles few services, and stands in where numba is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barista.values.problem import FlavorPlan, PlanStatus, Problem
from barista_plugins.cbc import Budget, new_model, optimize
from barista_plugins.unit_commitment import formulate

Services = Mapping[str, Mapping[str, FlavorPlan]]


@dataclass(frozen=True, slots=True)
class Solution:
    """What became of planning: a plan and its cost, if there is one, and the bound proven, if any."""

    status: PlanStatus
    services: Services = field(default_factory=dict)
    cost: float | None = None
    bound: float | None = None


def solve_whole(problem: Problem, start: Services, budget: Budget) -> Solution:
    """Plan `problem` by one program, beginning with the plan `start` unless that is empty."""
    program = formulate(problem, new_model())
    if start:
        program.begin_with(start)
    status = optimize(program.model, budget)
    if status not in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE):
        return Solution(status, bound=program.bound)
    return Solution(status, program.services(), program.cost, program.bound)
