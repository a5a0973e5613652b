"""Price: whether a plan can be carried out, and what it costs. Knows no planner and no solver.

Whoever made a plan, and whatever cost it claims: this check says what holds. It follows the
constraints of PROBLEM.md, and of what `values.problem` adds to it, one by one, so it can be read
beside them.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from barista.plan.counts import (
    ROOM_TOLERANCE,
    Amounts,
    Counts,
    capacity,
    delayed,
    existing,
    hold_steps,
    minimum_binds_from,
    takes,
)
from barista.plan.fairness import weighted_unserved
from barista.values.flavor import RESOURCES
from barista.values.problem import FlavorPlan, Plan, Problem, ServiceProblem

SECONDS_PER_HOUR = 3600.0
MOST_REPLICAS = 10**9
"""More in one step is a mistake, and would overflow the sums."""


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """What the check found; the costs hold for a feasible plan only."""

    violations: tuple[str, ...]
    provision_cost: float
    shortfall_cost: float
    unserved_requests: float
    switching_cost: float = 0.0

    @property
    def feasible(self) -> bool:
        """Whether the plan keeps every constraint."""
        return not self.violations

    @property
    def cost(self) -> float:
        """Provision, shortfall and switching together: the objective."""
        return self.provision_cost + self.shortfall_cost + self.switching_cost


def price(problem: Problem, plan: Plan) -> PlanPrice:
    """Check `plan` against every constraint of `problem`, and price it.

    A malformed plan (unknown names, wrong lengths, not counts) is a violation too, priced at 0.
    """
    malformed = _malformed(problem, plan)
    if malformed:
        return PlanPrice(malformed, 0.0, 0.0, 0.0)
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    usage = {pool.name: np.zeros((problem.steps, len(RESOURCES))) for pool in problem.pools}
    binds_from = minimum_binds_from(problem)
    violations: list[str] = []
    provision = shortfall = unserved = switching = 0.0
    for service in problem.services:
        paid_in_all = np.zeros(problem.steps, np.int64)
        served_rps = np.zeros(problem.steps)
        leaving: defaultdict[tuple[str, str], Counts] = defaultdict(lambda: np.zeros(problem.steps, np.int64))
        for option in service.flavors:
            flavor = flavors[option.flavor]
            here = existing(service, option.flavor, problem.steps)
            started, stopped, resized = _cumulative(plan, service.name, option.flavor, problem.steps)
            set_up = started - resized
            stoppable = here.stoppable + delayed(set_up, hold_steps(option)) + resized
            violations += _lease(service.name, option.flavor, stopped, stoppable)
            paid = here.total + started - stopped
            ready = here.ready + delayed(set_up, option.setup_steps) + resized - stopped
            usage[flavor.pool] += paid[:, None] * takes(flavor)
            provision += float(paid.sum()) * flavor.cost_per_hour * problem.step_s / SECONDS_PER_HOUR
            switching += float(set_up[-1] + stopped[-1]) * service.switching_cost
            paid_in_all += paid
            served_rps += np.maximum(0, ready) * option.rps
            leaving[flavor.family, flavor.pool] += np.diff(stopped - resized, prepend=0)
        violations += _resizes(service.name, leaving)
        violations += _bounds(service, paid_in_all, binds_from[service.name])
        lost_rps = np.maximum(0.0, np.array(service.demand_rps) - served_rps)
        unserved += float(lost_rps.sum()) * problem.step_s
        dear_rps = float(weighted_unserved(service, lost_rps).sum())
        shortfall += dear_rps * problem.step_s * service.shortfall_cost_per_request
    violations += _pools(problem, usage)
    return PlanPrice(tuple(violations), provision, shortfall, unserved, switching)


def _cumulative(plan: Plan, service: str, flavor: str, steps: int) -> tuple[Counts, Counts, Counts]:
    """Started, stopped and resized (as part of the started) up to each step."""
    counts = plan.services.get(service, {}).get(flavor)
    nothing = (0,) * steps
    series = (nothing,) * 3 if counts is None else (counts.start, counts.stop, counts.resized or nothing)
    started, stopped, resized = (np.cumsum(one, dtype=np.int64) for one in series)
    return started, stopped, resized


def _lease(service: str, flavor: str, stopped: Counts, stoppable: Counts) -> list[str]:
    return [
        f"lease: service {service!r}, flavor {flavor!r}, step {t}:"
        f" {stopped[t]} stopped so far, only {stoppable[t]} may be"
        for t in np.flatnonzero(stopped > stoppable)
    ]


def _resizes(service: str, leaving: dict[tuple[str, str], Counts]) -> list[str]:
    """What changes in place into one flavor leaves another of its family and pool at that step."""
    return [
        f"resize: service {service!r}, family {family!r}, step {t}: {-missing[t]} more resized than stopped"
        for (family, _), missing in leaving.items()
        for t in np.flatnonzero(missing < 0)
    ]


def _bounds(service: ServiceProblem, paid: Counts, binds_from: int) -> list[str]:
    above = [
        f"maximum: service {service.name!r}, step {t}: {paid[t]} replicas > {service.max_replicas}"
        for t in np.flatnonzero(paid > service.max_replicas)
    ]
    bound = np.arange(len(paid)) >= binds_from
    below = [
        f"minimum: service {service.name!r}, step {t}: {paid[t]} replicas < {service.min_replicas}"
        for t in np.flatnonzero((paid < service.min_replicas) & bound)
    ]
    return above + below


def _pools(problem: Problem, usage: dict[str, Amounts]) -> list[str]:
    return [
        f"pool: {pool.name!r}, step {t}: {RESOURCES[r]} {usage[pool.name][t, r]:g} > {capacity(pool)[r]:g}"
        for pool in problem.pools
        for t, r in np.argwhere(usage[pool.name] > capacity(pool) + ROOM_TOLERANCE)
    ]


def _malformed(problem: Problem, plan: Plan) -> tuple[str, ...]:
    options = {s.name: {option.flavor for option in s.flavors} for s in problem.services}
    found: list[str] = []
    for service, flavors in plan.services.items():
        if service not in options:
            found.append(f"service {service!r}: not in the problem")
            continue
        for flavor, counts in flavors.items():
            where = f"service {service!r}, flavor {flavor!r}"
            if flavor not in options[service]:
                found.append(f"{where}: the service does not list this flavor")
            elif not _are_counts(counts, problem.steps):
                found.append(f"{where}: start and stop must be {problem.steps} integers of at least 0 each")
            elif any(moved > started for moved, started in zip(counts.resized, counts.start, strict=False)):
                found.append(f"{where}: resized must be no more than start at any step")
    return tuple(found)


def _are_counts(counts: FlavorPlan, steps: int) -> bool:
    return all(
        len(series) == steps and all(type(value) is int and 0 <= value <= MOST_REPLICAS for value in series)
        for series in (counts.start, counts.stop, counts.resized or counts.start)
    )
