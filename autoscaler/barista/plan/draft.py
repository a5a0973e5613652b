"""A draft: one service's plan in the making, built by adding stays.

A *stay* is a replica held from one step to another. Existing replicas begin with the shortest stay
their set-up and lease allow, so stopping at the earliest moment is the starting point and keeping
a replica is a choice with a price, like starting one. Any set of stays is a valid plan as
far as set-up and leases go; pools and bounds are what `Draft.fits` looks at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barista.plan.counts import ROOM_TOLERANCE, Amounts, Counts, hold_steps, takes
from barista.values.flavor import RESOURCES, Flavor
from barista.values.problem import FlavorPlan, Problem, ServiceProblem

SECONDS_PER_HOUR = 3600.0
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Terms:
    """What one service's plan is judged by; arrays over its flavors (F), steps (T), resources (R).

    `step_cost` (F) is what a replica costs a step, `lost_cost` what one request/s costs that goes
    unserved for a step. `takes` (F, R) is what a replica holds of its pool, number `pool` (F).
    """

    service: ServiceProblem
    demand_rps: Amounts
    lost_cost: float
    minimum_from: int
    rps: Amounts
    step_cost: Amounts
    setup: Counts
    hold: Counts
    pool: Counts
    takes: Amounts

    @staticmethod
    def of(
        problem: Problem, service: ServiceProblem, flavors: Mapping[str, Flavor], minimum_from: int
    ) -> "Terms":
        """The terms of `service` in `problem`."""
        mine = [flavors[option.flavor] for option in service.flavors]
        pools = [pool.name for pool in problem.pools]
        per_step = problem.step_s / SECONDS_PER_HOUR
        return Terms(
            service=service,
            demand_rps=np.array(service.demand_rps, np.float64),
            lost_cost=service.shortfall_cost_per_request * problem.step_s,
            minimum_from=minimum_from,
            rps=np.array([option.rps for option in service.flavors]),
            step_cost=np.array([flavor.cost_per_hour * per_step for flavor in mine]),
            setup=np.array([option.setup_steps for option in service.flavors], np.int64),
            hold=np.array([hold_steps(option) for option in service.flavors], np.int64),
            pool=np.array([pools.index(flavor.pool) for flavor in mine], np.int64),
            takes=np.array([takes(flavor) for flavor in mine]).reshape(-1, len(RESOURCES)),
        )

    @property
    def steps(self) -> int:
        """Steps of the horizon."""
        return len(self.demand_rps)


class Draft:
    """The stays of one service's replicas.

    `started` (F, T) counts starts; `ending` (F, T + 1) the stays that end at a step, those in the
    last column outlasting the horizon; `paid` (F, T) the replicas held; `spare_rps` (T) is capacity
    less demand.
    """

    def __init__(self, terms: Terms) -> None:
        """A draft in which nothing starts and everything that exists stops as soon as it may."""
        flavors, steps = len(terms.rps), terms.steps
        self.terms = terms
        self.started = np.zeros((flavors, steps), np.int64)
        self.ending = np.zeros((flavors, steps + 1), np.int64)
        self.paid = np.zeros((flavors, steps), np.int64)
        self.spare_rps = -terms.demand_rps
        index = {option.flavor: f for f, option in enumerate(terms.service.flavors)}
        for replica in terms.service.replicas:
            f, end = index[replica.flavor], min(steps, max(replica.ready_in, replica.lease_left))
            self.ending[f, end] += 1
            self.paid[f, :end] += 1
            self.spare_rps[replica.ready_in : end] += terms.rps[f]

    def copy(self) -> "Draft":
        """An independent draft with the same stays."""
        twin = object.__new__(Draft)
        twin.terms = self.terms
        twin.started, twin.ending = self.started.copy(), self.ending.copy()
        twin.paid, twin.spare_rps = self.paid.copy(), self.spare_rps.copy()
        return twin

    def start(self, flavor: int, begin: int, end: int, count: int = 1) -> None:
        """Start `count` replicas at step `begin` that stay until `end`."""
        self.started[flavor, begin] += count
        self._stay(flavor, begin, end, count, begin + int(self.terms.setup[flavor]))

    def prolong(self, flavor: int, end: int, new_end: int, count: int = 1) -> None:
        """Keep `count` replicas whose stay ends at `end` until `new_end`."""
        self.ending[flavor, end] -= count
        self._stay(flavor, end, new_end, count, end)

    def cut(self, flavor: int, begin: int, end: int, ready: int) -> None:
        """Take the steps from `begin` to `end`, of which it serves from `ready`, off a stay ending there."""
        self._stay(flavor, begin, end, -1, ready)

    @property
    def unserved_rps(self) -> Amounts:
        """Demand that is not served, shape (T,)."""
        return np.maximum(0.0, -self.spare_rps)

    @property
    def cost(self) -> float:
        """Provision and shortfall together."""
        provision = float(self.paid.sum(axis=1) @ self.terms.step_cost)
        return provision + self.terms.lost_cost * float(self.unserved_rps.sum())

    def usage(self, pools: int) -> Amounts:
        """What the stays hold of each pool, shape (pools, T, R)."""
        held = np.zeros((pools, self.terms.steps, len(RESOURCES)))
        for f, pool in enumerate(self.terms.pool):
            held[pool] += self.paid[f][:, None] * self.terms.takes[f]
        return held

    def room(self, free: Amounts) -> Counts:
        """How many more replicas of each flavor fit at each step, shape (F, T).

        `free` (pools, T, R) is what the pools have besides this draft.
        """
        terms = self.terms
        left = (free - self.usage(len(free)))[terms.pool] + ROOM_TOLERANCE
        asked = terms.takes[:, None, :]
        each = np.where(asked > 0, np.floor(left / np.where(asked > 0, asked, 1.0)), np.inf).min(axis=2)
        within_maximum = terms.service.max_replicas - self.paid.sum(axis=0)
        return np.asarray(np.maximum(0, np.minimum(each, within_maximum)), np.int64)

    def lacking(self) -> Counts:
        """Replicas that the minimum asks for beyond those held, shape (T,)."""
        short: Counts = np.maximum(0, self.terms.service.min_replicas - self.paid.sum(axis=0))
        short[: self.terms.minimum_from] = 0
        return short

    def plan(self) -> dict[str, FlavorPlan]:
        """Starts and stops by flavor."""
        return {
            option.flavor: FlavorPlan(
                tuple(self.started[f].tolist()), tuple(self.ending[f, : self.terms.steps].tolist())
            )
            for f, option in enumerate(self.terms.service.flavors)
        }

    def _stay(self, flavor: int, begin: int, end: int, count: int, ready: int) -> None:
        self.ending[flavor, end] += count
        self.paid[flavor, begin:end] += count
        # Where it ends before it is ready, another one's end is meant, which then comes later.
        self.spare_rps[ready:end] += count * self.terms.rps[flavor]
        self.spare_rps[end:ready] -= count * self.terms.rps[flavor]
