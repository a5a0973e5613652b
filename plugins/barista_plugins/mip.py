"""The exact planner: integer programs of single services, coordinated by prices, and CBC.

Services are planned apart at prices of the pools (see `decomposition`), which proves what every plan
costs at least. Few services that this leaves open are settled by one program (see `whole`). What it may
spend comes from the limits; at a limit it returns the best plan found so far. Threads share the
services but no chance is drawn, so without a time limit the same problem gives the same plan.

The inner loops are machine code, compiled at first use and kept on disk (see `compiled`); making or loading
it comes before the time limit begins and is told as the phase `load`.
"""

from dataclasses import replace
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem
from barista_plugins.cbc import Budget, new_model
from barista_plugins.whole import Solution, solve_whole

if TYPE_CHECKING:
    from barista_plugins.carried import Carried

GAP_TOLERANCE = 1e-6
"""A plan this close to its bound is as good as the solver's arithmetic can prove."""
FEW = 12
"""Up to this many services one program settles what the decomposition leaves open."""
NOTES = {
    PlanStatus.INFEASIBLE: "the constraints leave no plan",
    PlanStatus.TIMED_OUT: "no plan found within the limits",
    PlanStatus.FAILED: "CBC gave up",
}


class MipPlanner:
    """Plans by mixed-integer programming. Under a time limit a plan starts from what the last one left."""

    name = "mip"

    def __init__(self) -> None:
        self._carried: Carried | None = None

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The cheapest plan found within `limits`, with its cost and proven bound."""
        if not problem.services:
            return Plan({}, PlanStatus.OPTIMAL, self.name, cost=0.0, bound=0.0)
        try:
            solution, seconds = self._solve(problem, limits)
        except ImportError as error:
            note = f"{error}: install it: pip install 'knative-barista[mip]'"
            return Plan({}, PlanStatus.FAILED, self.name, note=note)
        status, cost, bound = solution.status, solution.cost, solution.bound
        if cost is None:
            return Plan({}, status, self.name, bound=bound, seconds=seconds, note=NOTES[status])
        proven = bound is not None and cost - bound <= max(limits.gap, GAP_TOLERANCE) * cost
        return Plan(
            services=solution.services,
            status=PlanStatus.OPTIMAL if proven else PlanStatus.FEASIBLE,
            planner=self.name,
            cost=cost,
            bound=None if bound is None else min(bound, cost),
            seconds=seconds,
        )

    def _solve(self, problem: Problem, limits: PlanLimits) -> tuple[Solution, dict[str, float]]:
        begun = perf_counter()
        new_model()
        try:
            _load()
        except ImportError:
            return solve_whole(problem, {}, Budget.of(limits)), {}
        seconds = {"load": perf_counter() - begun}
        budget = Budget.of(limits)
        solution = self._apart(problem, budget, seconds)
        is_open = solution.status in (PlanStatus.TIMED_OUT, PlanStatus.FEASIBLE)
        if not is_open or len(problem.services) > FEW or budget.is_spent:
            return solution, seconds
        begun = perf_counter()
        whole = solve_whole(problem, solution.services, budget)
        seconds["whole"] = perf_counter() - begun
        return _better(solution, whole), seconds

    def _apart(self, problem: Problem, budget: Budget, seconds: dict[str, float]) -> Solution:
        from barista_plugins.carried import Carried, Start
        from barista_plugins.decomposition import Decomposition
        from barista_plugins.packed import PackedProblem

        begun = perf_counter()
        packed = PackedProblem(problem)
        is_warm = self._carried is not None and budget.until_s is not None
        start = self._carried.start(packed) if self._carried and is_warm else Start.from_nothing(packed)
        seconds["start"] = perf_counter() - begun
        planning = Decomposition(packed, budget, start)
        planning.run()
        seconds.update(planning.seconds)
        if budget.until_s is not None:
            self._carried = Carried.of(
                packed, planning.prices, planning.cap, planning.proven, planning.chosen, planning.columns
            )
        bound = planning.bound * packed.unit_cost
        if bound == np.inf:
            return Solution(PlanStatus.INFEASIBLE)
        if not planning.chosen:
            return Solution(PlanStatus.TIMED_OUT, bound=bound)
        services = {
            service.name: packed.plan_of(s, planning.chosen[s].plan)
            for s, service in enumerate(problem.services)
        }
        status = PlanStatus.OPTIMAL if planning.is_done else PlanStatus.FEASIBLE
        return Solution(status, services, planning.cost * packed.unit_cost, bound)


def _better(apart: Solution, whole: Solution) -> Solution:
    """The cheaper plan with the higher bound; what one program proves infeasible is."""
    if whole.status is PlanStatus.INFEASIBLE and apart.cost is None:
        return whole
    best = whole if whole.cost is not None and (apart.cost is None or whole.cost < apart.cost) else apart
    bounds = [bound for bound in (apart.bound, whole.bound) if bound is not None]
    return replace(best, bound=max(bounds, default=None))


@cache
def _load() -> None:
    """Bring the compiled parts into memory, or compile them. ImportError where numba is not installed."""
    from barista_plugins.ready import get_ready

    get_ready()
