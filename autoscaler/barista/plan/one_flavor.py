"""One flavor a service: for platforms that cannot direct a request to a replica by its size.

Where no balancer knows which replica is the larger, replicas of different flavors are as good as the
smallest of them. So each service is offered one flavor only, the one that covers its busiest step at the
least cost. Within their family, running replicas are changed to it in place. A flavor in use is left only
for one that is clearly cheaper, so that small changes of the demand change no flavor; its family only for
one that covers more, or is much cheaper. Replicas of another family stay beside the new ones until these
serve, and no longer: nothing more of them is started.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from barista.values.flavor import Flavor
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    FlavorPlan,
    Plan,
    Problem,
    ServiceProblem,
)

CLEARLY = 0.9
"""What another flavor of the family may cost at most, of what the one in use costs."""
MUCH = 0.7
"""The same for another family: its replicas must be started, and the others held meanwhile."""

Solve = Callable[[Problem], Plan]
Flavors = Mapping[str, Flavor]


def one_flavor_each(solve: Solve) -> Solve:
    """`solve` for problems of which each service is offered one flavor; its replicas are changed to it first.

    Replicas of other families are no part of those problems; the plan says when they stop.
    """

    def solve_narrowed(problem: Problem) -> Plan:
        flavors = {flavor.name: flavor for flavor in problem.flavors}
        narrowed = replace(problem, services=tuple(_narrowed(one, flavors) for one in problem.services))
        plan = solve(narrowed)
        pairs = zip(problem.services, narrowed.services, strict=True)
        changed = {before.name: _with_changes(plan, before, after, flavors) for before, after in pairs}
        return replace(plan, services={name: changed[name] for name in plan.services})

    return solve_narrowed


def _narrowed(service: ServiceProblem, flavors: Flavors) -> ServiceProblem:
    chosen = _chosen(service, flavors)
    family, _ = _apart(service, chosen, flavors)
    return replace(
        service,
        flavors=(chosen,),
        replicas=tuple(replace(replica, flavor=chosen.flavor) for replica in family),
    )


def _chosen(service: ServiceProblem, flavors: Flavors) -> FlavorOption:
    """The flavor to offer: of the family in use, or, amid a change, of the better one of those."""
    held = Counter(replica.flavor for replica in service.replicas)
    in_use = {flavors[name].family for name in held}

    def cover(option: FlavorOption) -> tuple[float, float, str]:
        return (*_cover(service, option, flavors), option.flavor)

    elsewhere = min(
        (o for o in service.flavors if flavors[o.flavor].family not in in_use), key=cover, default=None
    )
    homes = [_within(service, family, held, flavors) for family in sorted(in_use)]
    home = min(homes, key=cover, default=elsewhere)
    if elsewhere is None or home is None:
        return min(service.flavors, key=cover) if home is None else home
    short, cost, _ = cover(elsewhere)
    home_short, home_cost, _ = cover(home)
    better = short < home_short - 1e-9 or (short <= home_short and cost < MUCH * home_cost)
    return elsewhere if better else home


def _within(service: ServiceProblem, family: str, held: Counter[str], flavors: Flavors) -> FlavorOption:
    """The flavor to offer of a `family` in use."""
    options = {o.flavor: o for o in service.flavors if flavors[o.flavor].family == family}
    cheapest = min(options.values(), key=lambda option: (*_cover(service, option, flavors), option.flavor))
    usual = options[max(options, key=lambda name: (held[name], name))]
    left_short, cost = _cover(service, cheapest, flavors)
    usual_short, usual_cost = _cover(service, usual, flavors)
    return usual if usual_short <= left_short and cost > CLEARLY * usual_cost else cheapest


def _apart(
    service: ServiceProblem, chosen: FlavorOption, flavors: Flavors
) -> tuple[list[ExistingReplica], list[ExistingReplica]]:
    """The service's replicas of the family of `chosen`, and the others."""
    family = flavors[chosen.flavor].family
    return (
        [replica for replica in service.replicas if flavors[replica.flavor].family == family],
        [replica for replica in service.replicas if flavors[replica.flavor].family != family],
    )


def _with_changes(
    plan: Plan, before: ServiceProblem, after: ServiceProblem, flavors: Flavors
) -> Mapping[str, FlavorPlan]:
    """The service's part of `plan`, with what becomes of the replicas of `before`."""
    planned, (chosen,) = plan.services.get(after.name, {}), after.flavors
    family, others = _apart(before, chosen, flavors)
    later = (0,) * (len(after.demand_rps) - 1)
    of = planned.get(chosen.flavor, FlavorPlan((0, *later), (0, *later)))
    resized = Counter(replica.flavor for replica in family if replica.flavor != chosen.flavor)
    gone = Counter(replica.flavor for replica in _leaving(others, of, before, after))
    if not resized and not gone:
        return planned
    (start, *starts), count = of.start, resized.total()
    grown = FlavorPlan((start + count, *starts), of.stop, (count, *later)) if count else of
    return {
        chosen.flavor: grown,
        **{name: FlavorPlan((0, *later), (n, *later)) for name, n in (resized + gone).items()},
    }


def _leaving(
    others: list[ExistingReplica], of: FlavorPlan, before: ServiceProblem, after: ServiceProblem
) -> list[ExistingReplica]:
    """Those of the `others`, replicas of another family, that stop now.

    That is all, once those of the flavor that is planned as `of` serve what is asked; before that, as many as
    the maximum has no room for, as far as the rest serves it.
    """
    rps, (chosen,), demand_rps = (
        {o.flavor: o.rps for o in before.flavors},
        after.flavors,
        before.demand_rps[0],
    )
    free = [replica for replica in others if not replica.lease_left]
    count = sum(not replica.ready_in for replica in after.replicas) - of.stop[0]
    served_rps = count * chosen.rps
    if served_rps >= demand_rps and count >= before.min_replicas:
        return free
    over = len(others) + len(after.replicas) + of.start[0] - of.stop[0] - before.max_replicas
    served_rps += sum(rps[replica.flavor] for replica in others if not replica.ready_in)
    leaving: list[ExistingReplica] = []
    for replica in sorted(free, key=lambda one: (not one.ready_in, rps[one.flavor])):
        served_rps -= 0.0 if replica.ready_in else rps[replica.flavor]
        if len(leaving) >= over or served_rps < demand_rps:
            break
        leaving.append(replica)
    return leaving


def _cover(service: ServiceProblem, option: FlavorOption, flavors: Flavors) -> tuple[float, float]:
    """Of the busiest step, the requests/s that the most replicas leave unserved; and the cost per hour."""
    peak_rps = max(service.demand_rps)
    count = min(max(math.ceil(peak_rps / option.rps), service.min_replicas), service.max_replicas)
    return max(0.0, peak_rps - count * option.rps), count * flavors[option.flavor].cost_per_hour
