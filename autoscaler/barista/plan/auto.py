"""The automatic planner: the exact planner's plan, greedy's where that one has none.

The exact planner holds its time limit and has a plan early; greedy needs no solver, so it stands in where the
exact planner is not installed or comes away empty-handed.
"""

from dataclasses import replace

from barista.plan.greedy import GreedyPlanner
from barista.plugins import PLANNERS, PluginError, load_plugin
from barista.ports.planner import Planner
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem

EXACT = "mip"


class AutoPlanner:
    """Plans by `mip`; by `greedy` where that plug-in is not installed or finds nothing."""

    name = "auto"

    def __init__(self) -> None:
        self._exact: Planner | None = None

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The exact planner's plan, or greedy's with the bound that the exact one proved."""
        try:
            # Kept from plan to plan: what it remembers makes the next one quicker.
            self._exact = self._exact or load_plugin(PLANNERS, EXACT)
        except PluginError as error:
            greedy = GreedyPlanner().plan(problem, limits)
            return replace(greedy, planner=_named(greedy), note=greedy.note or str(error))
        exact = self._exact.plan(problem, limits)
        if exact.is_usable or exact.status is PlanStatus.INFEASIBLE:
            return replace(exact, planner=_named(exact))
        greedy = GreedyPlanner().plan(problem, limits)
        reason = f"{EXACT}: {exact.status}{': ' if exact.note else ''}{exact.note}"
        return replace(
            greedy,
            planner=_named(greedy),
            bound=exact.bound,
            seconds={**exact.seconds, **greedy.seconds},
            note=f"{greedy.note}; {reason}" if greedy.note else reason,
        )


def _named(plan: Plan) -> str:
    return f"{AutoPlanner.name} ({plan.planner})"
