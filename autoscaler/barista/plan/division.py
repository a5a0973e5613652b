"""Division: a fixed total of replicas over services, by what each of its possible counts costs a service.

Costs are whatever the caller expects with each count: requests missed, money, the price of a change. Nothing
is asked of their shape. Handing out one replica after the other to whom it helps most would need that each
helps less than the one before; but where one more replica is too few to end an overload and two are
enough, the first helps nobody. So the division is exact, by dynamic programming over the services, one
min-plus convolution each (Bellman, Dreyfus, "Applied Dynamic Programming", 1962, on allocation).
"""

import numpy as np

from barista.plan.counts import Amounts, Counts


def divide(costs: Amounts, total: int) -> Counts:
    """The count of each service with the least sum of ``costs[service, count]``, at most `total` in all.

    A count that a service may not have costs infinitely much. Of divisions that cost the same, that of fewer
    replicas is taken. ValueError when no division is allowed.
    """
    services, choices = costs.shape
    least, chosen = np.zeros(total + 1), np.zeros((services, total + 1), np.int64)
    least[1:] = np.inf
    for service, cost in enumerate(costs):
        through = np.full((choices, total + 1), np.inf)
        for count in range(min(choices, total + 1)):
            through[count, count:] = least[: total + 1 - count] + cost[count]
        chosen[service] = through.argmin(axis=0)
        least = through.min(axis=0)
    left = int(least.argmin())
    if least[left] == np.inf:
        raise ValueError(f"{total} replicas for {services} services: no division that all of them allow")
    counts = np.zeros(services, np.int64)
    for service in reversed(range(services)):
        counts[service] = chosen[service, left]
        left -= counts[service]
    return counts
