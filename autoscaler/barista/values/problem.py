"""The planning problem and its plan: the planning benchmark's PROBLEM.md as values.

Over `steps` steps of `step_s` seconds, how many replicas of each flavor does each service start
and stop at each step, so that the demand is served at least cost? Set-up and lease are in steps.
The demand in a problem is already the quantile that was chosen to be bought.

Three things go beyond PROBLEM.md; without them, plan and price are the benchmark's:

- **Switching cost** σ: each start, each stop and each resize costs σ, so a change has to pay for itself.
  What every plan must do costs every plan the same and changes no choice. Stops are linear in what is
  ready: with no resizes, Σ v = existing that are ready by T-1, + U[s,f,T-1-L] - y[s,f,T-1].
- **Shortfall steps**: the dearer a request, the larger the share of its step's demand that goes unserved,
  so that a pool too small is shared instead of starving one service (see `barista.plan.fairness`).
- **Resizing in place**: a start of flavor g may be a replica of another flavor of g's family and pool
  that stops at the same step and was allowed to. It has no set-up and no lease of its own. With r of the
  u starts resized, R and U their sums so far,

      lease   V[g,t] <= existing that may be stopped + (U - R)[g,t-D] + R[g,t]
      ready   y[g,t]  = existing that are ready + (U - R)[g,t-L] + R[g,t] - V[g,t]
      resize  r[g,t] <= u[g,t],  sum of r[.,t] over a family <= sum of v[.,t] over it

  (which of a family's stops becomes which of its starts makes no difference, as with stops).

The first two only ever make plans dearer, so a bound that ignores them still holds. Resizing makes them
cheaper: a planner whose bound ignores it states none where two flavors of a service are of one family.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from barista.values.flavor import Flavor, Pool


@dataclass(frozen=True, slots=True)
class FlavorOption:
    """A flavor that a service can use: the most requests/s one replica serves within the SLO."""

    flavor: str
    rps: float
    setup_steps: int
    lease_steps: int


@dataclass(frozen=True, slots=True)
class ExistingReplica:
    """A replica that exists at step 0: `ready_in` steps until it serves, `lease_left` until it may stop."""

    flavor: str
    ready_in: int
    lease_left: int


@dataclass(frozen=True, slots=True)
class ServiceProblem:
    """One service's part of a problem; `demand_rps` has one value per step.

    `switching_cost` is in currency. `shortfall_steps` are (share, factor): of a step's demand, the first
    `share` that goes unserved costs `factor` times `shortfall_cost_per_request`, the next the next
    factor, and what is beyond all shares the last. Factors are at least 1 and never fall.
    """

    name: str
    demand_rps: tuple[float, ...]
    shortfall_cost_per_request: float
    min_replicas: int
    max_replicas: int
    flavors: tuple[FlavorOption, ...]
    replicas: tuple[ExistingReplica, ...]
    switching_cost: float = 0.0
    shortfall_steps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A planning problem: pools, flavors, services over a horizon of `steps` steps."""

    name: str
    step_s: float
    steps: int
    pools: tuple[Pool, ...]
    flavors: tuple[Flavor, ...]
    services: tuple[ServiceProblem, ...]


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """What a planner may spend: wall seconds, relative gap to stop at, branch-and-bound nodes.

    In a replay `time_limit_s` is None and `node_limit` bounds the work, so that it is repeatable.
    """

    time_limit_s: float | None = 5.0
    gap: float = 1e-3
    node_limit: int | None = None


class PlanStatus(StrEnum):
    """How a planner ended; all but the first two carry no usable plan."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    TIMED_OUT = "timed-out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FlavorPlan:
    """Replicas of one flavor started and stopped at the beginning of each step.

    `resized` tells how many of the starts are replicas of another flavor of the family that stop at
    that step, changed in place; empty means none.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    resized: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Starts and stops per service and flavor, with cost and proven lower bound.

    A service or flavor left out starts and stops nothing. `cost` and `bound` are in the
    currency of `cost_per_hour`; `seconds` tells the wall time by phase.
    """

    services: Mapping[str, Mapping[str, FlavorPlan]]
    status: PlanStatus
    planner: str
    cost: float | None = None
    bound: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the plan can be carried out."""
        return self.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE)

    @property
    def gap(self) -> float | None:
        """Certified gap ``(cost - bound) / cost``; None without cost or bound."""
        if self.cost is None or self.bound is None:
            return None
        return max(0.0, (self.cost - self.bound) / self.cost) if self.cost > 0 else 0.0
