"""Accept: a planner's answer becomes a plan to be carried out.

Whatever a planner claims, the independent check decides what holds and what it costs (see `price`), and a
bound or an optimum counts only if it fits that cost. Replicas are then resized in place wherever that is
cheaper, for the sake of planners that do not look at it (see `vertical`).
"""

import math
from dataclasses import replace
from time import perf_counter

from barista.plan.price import price
from barista.plan.vertical import vertical_first
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem

GAP_TOLERANCE = 1e-6
"""What rounding may add to a gap."""


class PlannerRefusal(Exception):
    """A planner gave no plan that can be carried out; says in one line what it gave instead."""


def accepted(problem: Problem, plan: Plan, limits: PlanLimits) -> Plan:
    """`plan` at its true price, made within `limits`. PlannerRefusal when it cannot be carried out."""
    if not isinstance(plan, Plan):
        raise PlannerRefusal(f"returned {type(plan).__name__}, not a Plan")
    if not plan.is_usable:
        raise PlannerRefusal(f"{plan.status}{': ' if plan.note else ''}{plan.note}")
    found = price(problem, plan)
    if not found.feasible:
        raise PlannerRefusal(f"plan refused: {found.violations[0]}")
    begun = perf_counter()
    in_place = vertical_first(problem, plan, limits.time_limit_s)
    if in_place is not plan:
        found = price(problem, in_place)
        plan = replace(in_place, seconds={**plan.seconds, "vertical": perf_counter() - begun})
    # A bound above the cost proves nothing but a fault; solvers' rounding stays below a millionth.
    within = plan.bound is not None and plan.bound <= found.cost + 1e-6 * max(1.0, found.cost)
    bound = min(plan.bound, found.cost) if plan.bound is not None and within else None
    priced = replace(
        plan, cost=found.cost, bound=bound if bound is not None and math.isfinite(bound) else None
    )
    proven = priced.gap is not None and priced.gap <= limits.gap + GAP_TOLERANCE
    return priced if proven else replace(priced, status=PlanStatus.FEASIBLE)
