"""Planner: the plug-in that finds the cheapest plan."""

from typing import Protocol, runtime_checkable

from barista.values.problem import Plan, PlanLimits, Problem


@runtime_checkable
class Planner(Protocol):
    """A planner, made from its options by an entry point of group ``barista.planners``."""

    name: str

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The cheapest plan found within `limits`, with cost, proven bound, status and time.

        Infeasible and timed-out are results, not errors.
        """
        ...
