"""Holding: what one service holds, serves and pays over the steps of a problem, under a plan.

The same counts that `price` checks, as arrays over a service's flavors and steps that can be changed and
judged again, for improving a plan and for showing one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from barista.plan.counts import ROOM_TOLERANCE, Amounts, Counts, delayed, existing
from barista.plan.draft import Mask, Terms
from barista.plan.fairness import weighted_unserved
from barista.values.flavor import RESOURCES
from barista.values.problem import FlavorPlan, Problem, ServiceProblem


@dataclass(frozen=True, slots=True)
class ServiceTerms(Terms):
    """What a service's holding is judged by; arrays over its flavors (F), steps (T), resources (R).

    `moves` (F, F) tells which flavors a replica changes between in place. `ready`, `stoppable` (F, T)
    count existing replicas, of which there are `total` (F).
    """

    moves: Mask
    total: Counts
    ready: Counts
    stoppable: Counts

    @staticmethod
    def within(problem: Problem, service: ServiceProblem, minimum_from: int) -> "ServiceTerms":
        """The terms of `service` in `problem`, whose minimum binds from the step `minimum_from` on."""
        flavors = {flavor.name: flavor for flavor in problem.flavors}
        mine = [flavors[option.flavor] for option in service.flavors]
        here = [existing(service, option.flavor, problem.steps) for option in service.flavors]
        terms = Terms.of(problem, service, flavors, minimum_from)
        return ServiceTerms(
            **{one.name: getattr(terms, one.name) for one in fields(terms)},
            moves=np.array(
                [[a != b and (a.family, a.pool) == (b.family, b.pool) for b in mine] for a in mine], bool
            ).reshape(len(mine), len(mine)),
            total=np.array([one.total for one in here], np.int64),
            ready=np.array([one.ready for one in here]).reshape(-1, problem.steps),
            stoppable=np.array([one.stoppable for one in here]).reshape(-1, problem.steps),
        )

    def shortfall_cost(self, served_rps: Amounts) -> Amounts:
        """What goes unserved costs at each step where `served_rps` (…, T) can be served."""
        unserved_rps = np.maximum(0.0, self.demand_rps - served_rps)
        return self.lost_cost * weighted_unserved(self.service, unserved_rps)


class Holding:
    """What a service starts with a set-up (`fresh`), stops, and resizes into each flavor, all (F, T)."""

    def __init__(self, terms: ServiceTerms, fresh: Counts, stops: Counts, resized: Counts) -> None:
        self.terms, self.fresh, self.stops, self.resized = terms, fresh, stops, resized

    @staticmethod
    def of(terms: ServiceTerms, plan: Mapping[str, FlavorPlan]) -> "Holding":
        """The holding of a service by its `plan`."""
        nothing = (0,) * terms.steps
        none = FlavorPlan(nothing, nothing, nothing)
        mine = [plan.get(option.flavor, none) for option in terms.service.flavors]
        shape = (len(mine), terms.steps)
        resized = np.array([one.resized or nothing for one in mine], np.int64).reshape(shape)
        return Holding(
            terms,
            np.array([one.start for one in mine], np.int64).reshape(shape) - resized,
            np.array([one.stop for one in mine], np.int64).reshape(shape),
            resized,
        )

    def copy(self) -> "Holding":
        """An independent holding of the same."""
        return Holding(self.terms, self.fresh.copy(), self.stops.copy(), self.resized.copy())

    def plan(self) -> dict[str, FlavorPlan]:
        """Starts, stops and resizes by flavor."""
        return {
            option.flavor: FlavorPlan(
                tuple((self.fresh[f] + self.resized[f]).tolist()),
                tuple(self.stops[f].tolist()),
                tuple(self.resized[f].tolist()) if self.resized[f].any() else (),
            )
            for f, option in enumerate(self.terms.service.flavors)
        }

    @property
    def paid(self) -> Counts:
        """Replicas held, shape (F, T)."""
        changes = np.cumsum(self.fresh + self.resized - self.stops, axis=1)
        return np.asarray(self.terms.total[:, None] + changes)

    @property
    def slack(self) -> Counts:
        """How many more replicas might have stopped, shape (F, T); below 0 breaks a lease."""
        return self.terms.stoppable + self._after(self.terms.hold)

    @property
    def ready(self) -> Counts:
        """Replicas that serve, shape (F, T)."""
        return np.asarray(np.maximum(0, self.terms.ready + self._after(self.terms.setup)))

    @property
    def served_rps(self) -> Amounts:
        """Requests/s that what is ready serves at most, shape (T,)."""
        return np.asarray(self.terms.rps @ self.ready)

    @property
    def cost(self) -> float:
        """Provision, shortfall and switching together."""
        changes = float(self.fresh.sum() + self.stops.sum())
        provision = float(self.terms.step_cost @ self.paid.sum(axis=1))
        shortfall = float(self.terms.shortfall_cost(self.served_rps).sum())
        return provision + shortfall + self.terms.service.switching_cost * changes

    def usage(self, pools: int) -> Amounts:
        """What is held of each pool, shape (pools, T, R)."""
        held = np.zeros((pools, self.terms.steps, len(RESOURCES)))
        for f, paid in enumerate(self.paid):
            held[self.terms.pool[f]] += paid[:, None] * self.terms.takes[f]
        return held

    def is_valid(self, free: Amounts) -> bool:
        """Whether leases, bounds, families and pools, which have `free`, allow it."""
        service, total = self.terms.service, self.paid.sum(axis=0)
        least = np.where(np.arange(len(total)) >= self.terms.minimum_from, service.min_replicas, 0)
        family = self.terms.moves | np.eye(len(self.terms.rps), dtype=bool)
        return bool(
            (self.slack >= 0).all()
            and (total >= least).all()
            and (total <= service.max_replicas).all()
            and (family @ (self.stops - self.resized) >= 0).all()
            and (self.usage(len(free)) <= free + ROOM_TOLERANCE).all()
        )

    def stop(self, flavor: int, step: int, count: int) -> None:
        """Stop `count` more at `step`; nothing stops at or past the end of the horizon."""
        if step < self.terms.steps:
            self.stops[flavor, step] += count

    def match(self) -> None:
        """Starts beside stops of their family are resizes; a flavor never changes into itself."""
        family = self.terms.moves | np.eye(len(self.terms.rps), dtype=bool)
        for f, t in np.argwhere(self.fresh > 0).tolist():
            stopping = int(family[f] @ (self.stops[:, t] - self.resized[:, t]))
            count = min(int(self.fresh[f, t]), stopping) if self.terms.moves[f].any() else 0
            self.fresh[f, t] -= count
            self.resized[f, t] += count
        self._cancel()

    def resize(self, before: int, after: int, begin: int, end: int) -> None:
        """A replica of flavor `before` is one of `after` from step `begin` until `end`."""
        self.stops[before, begin] += 1
        self.resized[after, begin] += 1
        if end < self.terms.steps:
            self.stops[after, end] += 1
            self.resized[before, end] += 1
        self._cancel()

    def _cancel(self) -> None:
        both = np.minimum(self.stops, self.resized)
        self.stops -= both
        self.resized -= both

    def _after(self, lead: Counts) -> Counts:
        started = np.cumsum(self.fresh, axis=1)
        late = np.array([delayed(row, steps) for row, steps in zip(started, lead.tolist(), strict=True)])
        return np.asarray(late.reshape(self.fresh.shape) + np.cumsum(self.resized - self.stops, axis=1))
