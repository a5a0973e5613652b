"""The exact planner: mixed-integer programs, solved by CBC.

What each service's replicas can do is a program of its own (see `unit_commitment`), and prices of the pools
coordinate them (see `by_service`), so the plan comes with what every plan is proven to cost
at least. What it may spend comes from the limits; at a limit it returns the best plan found so far. It
never runs more than one thread and draws no chance, so without a time limit the same problem gives
the same plan.
"""

from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem
from barista_plugins.by_service import solve_by_service
from barista_plugins.cbc import Budget

GAP_TOLERANCE = 1e-6
"""A plan this close to its bound is as good as the solver's arithmetic can prove."""
NOTES = {
    PlanStatus.INFEASIBLE: "the constraints leave no plan",
    PlanStatus.TIMED_OUT: "no plan found within the limits",
    PlanStatus.FAILED: "CBC gave up",
}


class MipPlanner:
    """Plans by mixed-integer programming (python-mip with CBC)."""

    name = "mip"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The cheapest plan found within `limits`, with its cost and proven bound."""
        if not problem.services:
            return Plan({}, PlanStatus.OPTIMAL, self.name, cost=0.0, bound=0.0)
        try:
            found = solve_by_service(problem, Budget.of(limits))
        except ImportError as error:
            note = f"{error}: install it: pip install 'knative-barista[mip]'"
            return Plan({}, PlanStatus.FAILED, self.name, note=note)
        status, bound, seconds = found.status, found.bound, found.seconds
        if status not in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE):
            return Plan({}, status, self.name, bound=bound, seconds=seconds, note=NOTES[status])
        return Plan(
            services={name: share.plan for name, share in found.of.items()},
            status=PlanStatus.OPTIMAL
            if found.is_proven(max(limits.gap, GAP_TOLERANCE))
            else PlanStatus.FEASIBLE,
            planner=self.name,
            cost=found.cost,
            bound=None if bound is None else min(bound, found.cost),
            seconds=seconds,
        )
