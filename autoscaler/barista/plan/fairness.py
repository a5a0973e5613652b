"""Fairness: what unserved demand costs when the pools cannot hold what all services need.

At a cost per request that never changes, a pool that is too small goes to the services whose requests cost
most per unit of it, and the others starve. With a cost that rises with the share unserved, what is short
is shared. The steps are those of proportional fairness (Kelly, "Charging and rate control for elastic
traffic", 1997): the utility of serving the share x of a demand is log x, so the next request costs 1/x
times the first, taken as a constant over each quarter.

That states the order of shedding: by what a request costs times its factor, per unit of the pool it takes to
serve it, the least first. So the first quarter of the cheapest service goes, before it loses a second one
at 4/3 of that, a third at twice and the last at four times; a service of priority 2, whose requests cost
twice as much, begins to shed where one of priority 1 has lost half.
"""

from dataclasses import replace

import numpy as np

from barista.plan.counts import ROOM_TOLERANCE, Amounts, capacity, takes
from barista.values.flavor import Flavor
from barista.values.problem import Problem, ServiceProblem

PROPORTIONAL = ((0.25, 1.0), (0.25, 4 / 3), (0.25, 2.0), (0.25, 4.0))
"""(share of the demand, factor of its cost) of proportional fairness in quarters."""


def weighted_unserved(service: ServiceProblem, unserved_rps: Amounts) -> Amounts:
    """`unserved_rps` (steps) in requests/s at the plain cost: each part times the factor of its share."""
    if not service.shortfall_steps:
        return unserved_rps
    demand_rps = np.array(service.demand_rps)
    weighted, before_rps = np.zeros_like(unserved_rps), np.zeros_like(unserved_rps)
    for share, factor in service.shortfall_steps:
        weighted += factor * np.clip(unserved_rps - before_rps, 0.0, share * demand_rps)
        before_rps = before_rps + share * demand_rps
    return np.asarray(weighted + service.shortfall_steps[-1][1] * np.maximum(0.0, unserved_rps - before_rps))


def fair(problem: Problem) -> Problem:
    """`problem` with the steps of proportional fairness for the services that compete for too small a pool.

    A pool is too small when it could not hold the peaks of all services on the flavors they would choose
    alone. Where every service finds room, the problem stays as it is.
    """
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    wanted = {pool.name: np.zeros_like(capacity(pool)) for pool in problem.pools}
    for service in problem.services:
        option = min(
            (option for option in service.flavors if option.rps > 0),
            key=lambda option: (flavors[option.flavor].cost_per_hour / option.rps, option.flavor),
            default=None,
        )
        if option is not None:
            flavor = flavors[option.flavor]
            needed = min(service.max_replicas, int(np.ceil(max(service.demand_rps) / option.rps - 1e-9)))
            wanted[flavor.pool] += needed * takes(flavor)
    small = {p.name for p in problem.pools if (wanted[p.name] > capacity(p) + ROOM_TOLERANCE).any()}
    return replace(
        problem,
        services=tuple(
            replace(service, shortfall_steps=PROPORTIONAL) if _uses(service, small, flavors) else service
            for service in problem.services
        ),
    )


def _uses(service: ServiceProblem, pools: set[str], flavors: dict[str, Flavor]) -> bool:
    return any(flavors[option.flavor].pool in pools for option in service.flavors)
