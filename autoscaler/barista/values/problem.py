"""The planning problem and its plan: the planning benchmark's PROBLEM.md as values.

Over `steps` steps of `step_s` seconds, how many replicas of each flavor does each service start
and stop at each step, so that the demand is served at least cost? Set-up and lease are in steps.
The demand in a problem is already the quantile that was chosen to be bought.
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
    """One service's part of a problem; `demand_rps` has one value per step."""

    name: str
    demand_rps: tuple[float, ...]
    shortfall_cost_per_request: float
    min_replicas: int
    max_replicas: int
    flavors: tuple[FlavorOption, ...]
    replicas: tuple[ExistingReplica, ...]


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
    """Replicas of one flavor started and stopped at the beginning of each step."""

    start: tuple[int, ...]
    stop: tuple[int, ...]


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
