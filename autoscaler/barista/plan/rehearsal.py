"""A planner in its worker: kept there from problem to problem, and rehearsed before the first real one.

A worker process is sent the planner with each problem, but plans by the one that it has, so what a planner
remembers is there the next time. A rehearsal is a first, tiny problem without a hard limit: it loads, or
compiles, what the planner is made of, which may take longer than any cycle can wait.
"""

from barista.ports.planner import Planner
from barista.values.flavor import Flavor, Pool
from barista.values.problem import FlavorOption, Plan, PlanLimits, Problem, ServiceProblem

REHEARSED = Problem(
    name="rehearsal",
    step_s=60.0,
    steps=2,
    pools=(Pool("main", cpu=2.0, memory_gib=2.0),),
    flavors=(Flavor("small", "main", cpu=1.0, memory_gib=1.0, cost_per_hour=1.0),),
    services=(ServiceProblem("first", (1.0, 2.0), 1.0, 0, 2, (FlavorOption("small", 1.0, 0, 0),), ()),),
)
"""One service, one flavor, two steps."""
_kept: dict[str, Planner] = {}


def plan_by(key: str, planner: Planner, problem: Problem, limits: PlanLimits) -> Plan:
    """Plan `problem` by the planner that this process keeps as `key`: `planner`, where there is none yet."""
    if key not in _kept:
        _kept.clear()  # one is enough: the others' hosts are gone, or share a worker and only forget
        _kept[key] = planner
    return _kept[key].plan(problem, limits)


def rehearse(key: str, planner: Planner) -> None:
    """Have the planner of `key` plan the smallest problem."""
    plan_by(key, planner, REHEARSED, PlanLimits())
