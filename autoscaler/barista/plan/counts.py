"""Counts of replicas over the steps of a problem: the vocabulary of PROBLEM.md as arrays.

Replicas of one service on one flavor are interchangeable, so how many are ready, stoppable or
stuck at each step is all that planning and pricing need to know of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barista.values.flavor import RESOURCES, Flavor, Pool
from barista.values.problem import FlavorOption, Problem, ServiceProblem

Counts = npt.NDArray[np.int64]
Amounts = npt.NDArray[np.float64]

ROOM_TOLERANCE = 1e-6
"""How far above its capacity a pool may be filled, in units of the resource (rounding of sums)."""


@dataclass(frozen=True, slots=True)
class Existing:
    """The replicas of a service on one flavor that exist at step 0, counted for each step t.

    `ready[t]` of the `total` have become ready, `stoppable[t]` may be stopped, both at the latest at t.
    """

    total: int
    ready: Counts
    stoppable: Counts

    @property
    def stuck(self) -> Counts:
        """How many may not be stopped yet."""
        return self.total - self.stoppable


def existing(service: ServiceProblem, flavor: str, steps: int) -> Existing:
    """The replicas of `service` on `flavor` that exist at step 0."""
    mine = [replica for replica in service.replicas if replica.flavor == flavor]
    return Existing(
        total=len(mine),
        ready=_passed((r.ready_in for r in mine), steps),
        stoppable=_passed((max(r.ready_in, r.lease_left) for r in mine), steps),
    )


def hold_steps(option: FlavorOption) -> int:
    """Steps from a start to the first at which the replica may be stopped."""
    return max(option.setup_steps, option.lease_steps)


def delayed(cumulative: Counts, steps: int) -> Counts:
    """`cumulative`, seen `steps` later: zeros first."""
    seen = np.zeros_like(cumulative)
    seen[steps:] = cumulative[: max(0, len(cumulative) - steps)]
    return seen


def takes(flavor: Flavor) -> Amounts:
    """What one replica holds of each resource, shape (resources,)."""
    return np.array([flavor.amount(resource) for resource in RESOURCES])


def capacity(pool: Pool) -> Amounts:
    """What the pool has of each resource, shape (resources,)."""
    return np.array([pool.amount(resource) for resource in RESOURCES])


def stuck_usage(problem: Problem) -> dict[str, Amounts]:
    """What existing replicas that cannot be stopped yet hold of each pool, shape (steps, resources)."""
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    usage = {pool.name: np.zeros((problem.steps, len(RESOURCES))) for pool in problem.pools}
    for service in problem.services:
        for option in service.flavors:
            flavor = flavors[option.flavor]
            stuck = existing(service, option.flavor, problem.steps).stuck
            usage[flavor.pool] += stuck[:, None] * takes(flavor)
    return usage


def minimum_binds_from(problem: Problem) -> dict[str, int]:
    """By service, the first step at which its minimum must hold (PROBLEM.md, "Minimum").

    That is the first step at which the replicas it lacks fit, all of one of its flavors, beside every
    existing replica that cannot be stopped yet; the number of steps when there is none.
    """
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    room = {pool.name: capacity(pool) for pool in problem.pools}
    usage = stuck_usage(problem)
    first: dict[str, int] = {}
    for service in problem.services:
        stuck = sum(
            (existing(service, option.flavor, problem.steps).stuck for option in service.flavors),
            np.zeros(problem.steps, np.int64),
        )
        lacking = np.maximum(0, service.min_replicas - stuck)
        fits = lacking == 0
        for option in service.flavors:
            flavor = flavors[option.flavor]
            need = usage[flavor.pool] + lacking[:, None] * takes(flavor)
            fits |= (need <= room[flavor.pool] + ROOM_TOLERANCE).all(axis=1)
        first[service.name] = int(np.argmax(fits)) if fits.any() else problem.steps
    return first


def _passed(moments: Iterable[int], steps: int) -> Counts:
    ends = np.fromiter(moments, np.int64)
    return np.asarray(np.count_nonzero(ends[None, :] <= np.arange(steps)[:, None], axis=1), np.int64)
