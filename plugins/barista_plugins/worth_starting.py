"""Which flavors are worth starting, and how many at once: programs leave out what no optimal plan does."""

import math
from collections.abc import Mapping

from barista.values.flavor import RESOURCES, Flavor
from barista.values.problem import FlavorOption, ServiceProblem


def kin(service: ServiceProblem, option: FlavorOption, flavors: Mapping[str, Flavor]) -> list[FlavorOption]:
    """The other options of `service` that a replica of `option` can become in place."""
    mine = flavors[option.flavor]
    return [
        other
        for other in service.flavors
        if other != option
        and (flavors[other.flavor].family, flavors[other.flavor].pool) == (mine.family, mine.pool)
    ]


def most_starts(service: ServiceProblem, option: FlavorOption, flavors: Mapping[str, Flavor]) -> int:
    """Starts in one step beyond which an optimal plan never needs more."""
    relatives = kin(service, option, flavors)
    # A stranger does not become what a relative could.
    rivals = relatives or service.flavors
    if any(_replaces(other, option, flavors) for other in rivals):
        return 0
    rates = [one.rps for one in (option, *relatives) if one.rps > 0]
    covers = math.ceil(max(service.demand_rps) / min(rates)) if rates else 0
    return min(service.max_replicas, max(covers, service.min_replicas))


def _replaces(one: FlavorOption, other: FlavorOption, flavors: Mapping[str, Flavor]) -> bool:
    """Whether a start of `one` does all that a start of `other` does, for no more; equals go by name."""

    def burdens(option: FlavorOption) -> tuple[float, ...]:
        flavor = flavors[option.flavor]
        held = (flavor.amount(resource) for resource in RESOURCES)
        hold_steps = max(option.setup_steps, option.lease_steps)
        return (flavor.cost_per_hour, *held, -option.rps, option.setup_steps, hold_steps)

    mine, theirs = burdens(one), burdens(other)
    if flavors[one.flavor].pool != flavors[other.flavor].pool:
        return False
    if mine == theirs:
        return one.flavor < other.flavor
    return all(a <= b for a, b in zip(mine, theirs, strict=True))
