"""The automatic planner: greedy's plan at once, the exact planner's where it is cheaper.

Greedy's plan is there in a moment and stands whatever the exact planner does in its time; the
cheaper of the two is returned, with the bound that the exact one proved.
"""

from dataclasses import replace
from time import perf_counter

from barista.plan.greedy import GreedyPlanner
from barista.plugins import PLANNERS, PluginError, load_plugin
from barista.ports.planner import Planner
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem

EXACT = "mip"
LEAST_S = 0.1


class AutoPlanner:
    """Plans by `greedy` and by `mip`; by greedy alone where that plug-in is not installed."""

    name = "auto"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The cheaper of greedy's and the exact planner's plan, with the bound proven."""
        begun = perf_counter()
        greedy = GreedyPlanner().plan(problem, limits)
        try:
            exact_planner: Planner = load_plugin(PLANNERS, EXACT)
        except PluginError as error:
            return replace(greedy, planner=_named(greedy), note=greedy.note or str(error))
        exact = exact_planner.plan(problem, _remaining(limits, perf_counter() - begun))
        return _better(greedy, exact, limits)


def _remaining(limits: PlanLimits, spent_s: float) -> PlanLimits:
    if limits.time_limit_s is None:
        return limits
    return replace(limits, time_limit_s=max(LEAST_S, limits.time_limit_s - spent_s))


def _better(greedy: Plan, exact: Plan, limits: PlanLimits) -> Plan:
    best = greedy if _cheaper(greedy, exact) else exact
    merged = replace(
        best, planner=_named(best), bound=exact.bound, seconds={**greedy.seconds, **exact.seconds}
    )
    if not best.is_usable:
        return merged
    if best is greedy and not exact.is_usable:
        merged = replace(merged, note=f"{EXACT}: {exact.status}{': ' if exact.note else ''}{exact.note}")
    proven = merged.gap is not None and merged.gap <= limits.gap
    return replace(merged, status=PlanStatus.OPTIMAL if proven else PlanStatus.FEASIBLE)


def _cheaper(one: Plan, other: Plan) -> bool:
    """Whether `one` is a plan and costs less than `other`, by more than rounding."""
    if not one.is_usable or one.cost is None:
        return False
    return not other.is_usable or other.cost is None or one.cost < other.cost * (1 - 1e-9)


def _named(plan: Plan) -> str:
    return f"{AutoPlanner.name} ({plan.planner})"
