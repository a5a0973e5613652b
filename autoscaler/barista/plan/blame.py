"""Blame: which limits of a problem cannot hold together, when it has no plan.

Demand never makes a problem infeasible, for what is not served is priced. Only replicas that must be there
do: those that may not be stopped yet, and those that minima ask for, against pools and maxima. What must
be there only grows as minima begin to bind and room only grows as leases end, so the steps at which a
minimum begins to bind are the only ones to look at, each by itself.

There, whole replicas aside, the limits hold together if a small linear program has room for what the
minima still lack (see `packing`). The set is made irreducible by the deletion filter (Chinneck and
Dravnieks, "Locating minimal infeasible constraint sets in linear programs", 1991): each limit is left out
in turn, and stays out unless the others hold together without it. Loosening any one of those that are
left lifts that conflict.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from barista.plan.counts import ROOM_TOLERANCE, Amounts, Counts, existing, minimum_binds_from
from barista.plan.packing import pack
from barista.values.flavor import RESOURCES
from barista.values.problem import Problem

Mask = npt.NDArray[np.bool_]
SHOWN = 8
"""Limits that a line of text names at most."""


class LimitKind(StrEnum):
    """What kind of limit takes part in a conflict."""

    POOL = "pool"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a problem: whose it is (a pool's or a service's name), and the limit in words."""

    kind: LimitKind
    of: str
    text: str


@dataclass(frozen=True, slots=True)
class Blame:
    """Limits that cannot hold together at `step`; without any one of them the others can."""

    step: int
    limits: tuple[Limit, ...]

    def __str__(self) -> str:
        shown = "; ".join(limit.text for limit in self.limits[:SHOWN])
        more = f"; and {len(self.limits) - SHOWN} more" if len(self.limits) > SHOWN else ""
        return f"step {self.step}: these cannot hold together: {shown}{more}: loosen one of them"


def blame(problem: Problem) -> Blame | None:
    """The limits that leave `problem` without a plan; None when fractions of replicas would fit."""
    binds_from = minimum_binds_from(problem)
    for step in sorted({0, *(first for first in binds_from.values() if first < problem.steps)}):
        limits = _Limits.at(problem, step, binds_from)
        if not limits.hold_together(limits.all):
            return Blame(step, tuple(limits.named(problem, _irreducible(limits))))
    return None


def _irreducible(limits: "_Limits") -> Mask:
    """Limits that do not hold together, none of which can be left out.

    Blocks of limits are left out before single ones.
    """

    def without(kept: Mask, block: Counts) -> Mask:
        fewer = kept.copy()
        fewer[block] = False
        if not limits.hold_together(fewer):
            return fewer
        if len(block) == 1:
            return kept
        half = len(block) // 2
        return without(without(kept, block[:half]), block[half:])

    return without(limits.all, limits.least_needed_first())


@dataclass(frozen=True, slots=True)
class _Limits:
    """The limits at one step. Arrays over services (S), flavors (F), resources of all pools (R).

    `stuck` (S, F) counts replicas that may not be stopped, and `kind` (S) numbers services by the flavors
    they list, which are rows of `kinds`. A choice of limits is a mask over the services' leases, maxima,
    and minima, then the room: shape (3 S + R,).
    """

    kinds: Mask
    kind: Counts
    takes: Amounts
    stuck: Counts
    minimum: Counts
    maximum: Counts
    room: Amounts

    @staticmethod
    def at(problem: Problem, step: int, binds_from: dict[str, int]) -> "_Limits":
        resources = [(pool, resource) for pool in problem.pools for resource in RESOURCES]
        shape = (len(problem.services), len(problem.flavors))
        number = {flavor.name: f for f, flavor in enumerate(problem.flavors)}
        usable, stuck = np.zeros(shape, bool), np.zeros(shape, np.int64)
        for s, service in enumerate(problem.services):
            for option in service.flavors:
                f = number[option.flavor]
                usable[s, f] = True
                stuck[s, f] = existing(service, option.flavor, problem.steps).stuck[step]
        kinds, kind = np.unique(usable, axis=0, return_inverse=True)
        return _Limits(
            kinds=kinds,
            kind=kind.ravel(),
            takes=np.array(
                [
                    [f.amount(r) if f.pool == pool.name else 0.0 for pool, r in resources]
                    for f in problem.flavors
                ]
            ),
            stuck=stuck,
            minimum=np.array(
                [s.min_replicas if step >= binds_from[s.name] else 0 for s in problem.services], np.int64
            ),
            maximum=np.array([s.max_replicas for s in problem.services], np.int64),
            room=np.array([pool.amount(resource) for pool, resource in resources]),
        )

    @property
    def all(self) -> Mask:
        """The choice of all limits."""
        return np.ones(3 * len(self.minimum) + len(self.room), bool)

    def least_needed_first(self) -> Counts:
        """Numbers of the limits in the order in which to leave them out: minima, which may bind only because
        of leases, then maxima, leases and the room; of each kind those first that fill least.
        """
        many = len(self.minimum)
        fills = {2: self.minimum, 1: -self.maximum, 0: self.stuck.sum(axis=1)}
        services = [many * part + np.argsort(size, kind="stable") for part, size in fills.items()]
        return np.concatenate([*services, np.arange(3 * many, len(self.all))])

    def hold_together(self, chosen: Mask) -> bool:
        """Whether the chosen limits can all hold, fractions of replicas allowed."""
        leases, maxima, minima = chosen[: 3 * len(self.minimum)].reshape(3, -1)
        stuck, minimum = self.stuck * leases[:, None], self.minimum * minima
        held = stuck.sum(axis=1)
        if (np.maximum(minimum, held)[maxima] > self.maximum[maxima]).any():
            return False
        room = chosen[3 * len(self.minimum) :]
        left = (self.room - stuck.sum(axis=0) @ self.takes)[room]
        if (left < -ROOM_TOLERANCE).any():
            return False
        lacking = np.maximum(0.0, minimum - held)
        wanted = np.bincount(self.kind, lacking, len(self.kinds)).astype(np.float64)
        packed = pack(wanted, self.kinds, self.takes[:, room], np.maximum(0.0, left))
        return bool(packed >= lacking.sum() - ROOM_TOLERANCE)

    def named(self, problem: Problem, chosen: Mask) -> Iterator[Limit]:
        """The chosen limits in words, pools first."""
        many = len(problem.services)
        for number in np.flatnonzero(chosen[3 * many :]).tolist():
            name, resource = problem.pools[number // len(RESOURCES)].name, RESOURCES[number % len(RESOURCES)]
            yield Limit(LimitKind.POOL, name, f"pool {name!r} has {resource} {self.room[number]:g}")
        leases, maxima, minima = chosen[: 3 * many].reshape(3, -1)
        for s, service in enumerate(problem.services):
            who = f"service {service.name!r}"
            if leases[s]:
                held = f"{who} holds replicas that may not be stopped yet: {self.stuck[s].sum()}"
                yield Limit(LimitKind.LEASE, service.name, held)
            if minima[s]:
                minimum = f"{who} has min_replicas {service.min_replicas}"
                yield Limit(LimitKind.MINIMUM, service.name, minimum)
            if maxima[s]:
                maximum = f"{who} has max_replicas {service.max_replicas}"
                yield Limit(LimitKind.MAXIMUM, service.name, maximum)
