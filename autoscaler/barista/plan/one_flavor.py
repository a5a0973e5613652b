"""One flavor a service: for platforms that cannot direct a request to a replica by its size.

Where no balancer knows which replica is the larger, replicas of different flavors are as good as the
smallest of them. So each service is offered one flavor only, the one that covers its busiest step at the
least cost. Running replicas cannot leave their family: what changes is changed in place. A flavor in use
is left only for one that is clearly cheaper, so that small changes of the demand change no flavor.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from barista.values.flavor import Flavor
from barista.values.problem import FlavorOption, FlavorPlan, Plan, Problem, ServiceProblem

CLEARLY = 0.9
"""What another flavor may cost at most, of what the one in use costs."""


Solve = Callable[[Problem], Plan]


def one_flavor_each(solve: Solve) -> Solve:
    """`solve` for problems of which each service is offered one flavor; its replicas are changed to it first.

    A service that holds replicas of several families is in the middle of a change, and left as it is.
    """

    def solve_narrowed(problem: Problem) -> Plan:
        flavors = {flavor.name: flavor for flavor in problem.flavors}
        narrowed = replace(problem, services=tuple(_narrowed(one, flavors) for one in problem.services))
        plan = solve(narrowed)
        pairs = zip(problem.services, narrowed.services, strict=True)
        changed = {before.name: _with_changes(plan, before, after) for before, after in pairs}
        return replace(plan, services={name: changed[name] for name in plan.services})

    return solve_narrowed


def _narrowed(service: ServiceProblem, flavors: Mapping[str, Flavor]) -> ServiceProblem:
    held = Counter(replica.flavor for replica in service.replicas)
    families = {flavors[name].family for name in held}
    if len(families) > 1:
        return service
    within = [o for o in service.flavors if not families or flavors[o.flavor].family in families]
    cheapest = min(within, key=lambda option: (*_cover(service, option, flavors), option.flavor))
    usual = next((option for option in within if option.flavor == _most(held)), cheapest)
    left_short, cost = _cover(service, cheapest, flavors)
    usual_short, usual_cost = _cover(service, usual, flavors)
    chosen = usual if usual_short <= left_short and cost > CLEARLY * usual_cost else cheapest
    return replace(
        service,
        flavors=(chosen,),
        replicas=tuple(replace(replica, flavor=chosen.flavor) for replica in service.replicas),
    )


def _with_changes(plan: Plan, before: ServiceProblem, after: ServiceProblem) -> Mapping[str, FlavorPlan]:
    """The service's part of `plan`, with what changes its replicas from `before` into those of `after`."""
    planned = plan.services.get(after.name, {})
    flavor = after.flavors[0].flavor
    left = Counter(r.flavor for r, now in zip(before.replicas, after.replicas, strict=True) if r != now)
    if not left:
        return planned
    later = (0,) * (len(after.demand_rps) - 1)
    of = planned.get(flavor, FlavorPlan((0, *later), (0, *later)))
    (start, *starts), count = of.start, left.total()
    grown = FlavorPlan((start + count, *starts), of.stop, (count, *later))
    return {flavor: grown, **{name: FlavorPlan((0, *later), (n, *later)) for name, n in left.items()}}


def _cover(
    service: ServiceProblem, option: FlavorOption, flavors: Mapping[str, Flavor]
) -> tuple[float, float]:
    """Of the busiest step, the requests/s that the most replicas leave unserved; and the cost per hour."""
    peak_rps = max(service.demand_rps)
    count = min(max(math.ceil(peak_rps / option.rps), service.min_replicas), service.max_replicas)
    return max(0.0, peak_rps - count * option.rps), count * flavors[option.flavor].cost_per_hour


def _most(held: Counter[str]) -> str | None:
    return max(held, key=lambda name: (held[name], name), default=None)
