"""Vertical first: a plan's starts become resizes in place wherever that is cheaper.

A planner may see the flavors of a service apart: to serve a peak it starts a replica a set-up time ahead and
holds it as long as its lease. A replica that is ready can instead be a larger flavor of its family for the
steps of the peak, at once and for no longer, if its pool has room ("Resizing in place", `values.problem`).

This pass goes over a feasible plan, service by service, and returns one that costs no more:

- *match*: a start and a stop in one family at one step are one replica, resized;
- *spells*: over the steps where that pays, one replica is another flavor of its family: grown over a
  peak, shrunk over a lull;
- *replace*: a stay that starts anew goes, where spells serve what it served for less; a replica of a
  family that would have stopped may be kept in its place.

It is a local search, exact in what it costs and allows, without a bound.
"""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter

import numpy as np

from barista.plan.counts import Amounts, capacity, minimum_binds_from
from barista.plan.holding import Holding, ServiceTerms
from barista.plan.spells import add_spells
from barista.values.problem import Plan, Problem, ServiceProblem


def can_resize(problem: Problem, service: ServiceProblem) -> bool:
    """Whether two flavors of `service` are of one family in one pool."""
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    families = [(flavors[o.flavor].family, flavors[o.flavor].pool) for o in service.flavors]
    return len(set(families)) < len(families)


def vertical_first(problem: Problem, plan: Plan, time_limit_s: float | None = None) -> Plan:
    """`plan`, which is feasible, with resizes in place where they make it cheaper.

    At the time limit the services not looked at yet, the cheapest ones, stay as they are. The cost is not
    brought up to date.
    """
    begun = perf_counter()
    resizable = [service for service in problem.services if can_resize(problem, service)]
    if not resizable:
        return plan
    binds_from = minimum_binds_from(problem)
    terms = {s.name: ServiceTerms.within(problem, s, binds_from[s.name]) for s in problem.services}
    holdings = {name: Holding.of(one, plan.services.get(name, {})) for name, one in terms.items()}
    pools = len(problem.pools)
    free = np.stack([np.tile(capacity(pool), (problem.steps, 1)) for pool in problem.pools])
    for holding in holdings.values():
        free = free - holding.usage(pools)
    services = dict(plan.services)
    for service in sorted(resizable, key=lambda one: (-holdings[one.name].cost, one.name)):
        if time_limit_s is not None and perf_counter() - begun > time_limit_s:
            break
        before = holdings[service.name]
        free = free + before.usage(pools)
        after = _improved(before, free)
        free = free - after.usage(pools)
        if after is not before:
            services[service.name] = after.plan()
    return replace(plan, services=services)


def _improved(before: Holding, free: Amounts) -> Holding:
    """`before`, or a cheaper holding that fits into `free` (pools, steps, resources)."""
    best = before.copy()
    best.match()
    add_spells(best, free)
    while (better := _first_better(best, free)) is not None:
        best = better
    return best if _cheaper(best, before) else before


def _first_better(holding: Holding, free: Amounts) -> Holding | None:
    for trial in _replacing(holding):
        add_spells(trial, free)
        trial.match()
        if _cheaper(trial, holding) and trial.is_valid(free):
            return trial
    return None


def _replacing(holding: Holding) -> Iterator[Holding]:
    """`holding` without one of its new stays: as it is, and with a replica kept that would stop before."""
    terms, steps = holding.terms, holding.terms.steps
    for flavor, begin in np.argwhere(holding.fresh > 0).tolist():
        earliest = begin + int(terms.hold[flavor])
        ends = [e for e in np.flatnonzero(holding.stops[flavor]).tolist() if e >= earliest]
        for end in (*ends, steps):
            bare = holding.copy()
            bare.fresh[flavor, begin] -= 1
            bare.stop(flavor, end, -1)
            yield bare
            for kept, moment in np.argwhere(bare.stops > 0).tolist():
                if terms.moves[kept].any() and begin <= moment < end:
                    keeping = bare.copy()
                    keeping.stop(kept, moment, -1)
                    keeping.stop(kept, end, 1)
                    yield keeping


def _cheaper(one: Holding, other: Holding) -> bool:
    return one.cost < other.cost * (1 - 1e-9) - 1e-12
