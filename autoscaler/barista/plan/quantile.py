"""Which quantile of the demand to buy: the newsvendor's.

One more request/s of capacity costs h a request, used or not, and saves the shortage cost π of a request
whenever demand exceeds what is there. It pays as long as π P(demand > capacity) ≥ h: up to the quantile
(π - h) / π of the demand, the critical ratio of the newsvendor (Arrow, Harris, Marschak 1951). The
planning problem knows one demand a step and charges π for each request of it that goes unserved, whether
that part of the demand is likely or not. Given the mean it would leave half of all fluctuations
unserved, given the maximum it would buy capacity that is hardly ever used; given the critical quantile,
its plan is the one that the expected costs of shortage and capacity would choose: the deterministic
equivalent of the problem under uncertainty, as far as each step decides for itself.

An operator who states no shortage cost has stated an SLO: "95 % in time" says that the one late request in
twenty may not cost more than serving twenty. So π = h / (1 - percentile), and the quantile bought
is the SLO's percentile.
"""

from dataclasses import dataclass
from math import ceil

from barista.plan.pooling import pooling
from barista.ports.capacity import CapacityModel
from barista.values.flavor import Catalogue
from barista.values.forecast import Forecast
from barista.values.situation import ServiceView

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Purchase:
    """The quantile of demand to buy, and what a request costs that goes unserved."""

    level: float
    shortfall_cost_per_request: float


def purchase(
    view: ServiceView, forecast: Forecast, catalogue: Catalogue, capacity: CapacityModel
) -> Purchase:
    """What to buy for the service of `view`, by the cheapest flavor's cost of a request.

    The level lies within what `forecast` states and what a service may buy (`Service.level_within`).
    """
    service, stated = view.service, forecast.levels
    marginal, whole = _cost_per_request(view, max(forecast.mean), catalogue, capacity)
    lost = service.shortfall_cost_per_request
    if service.demand_quantile is not None:
        level = service.demand_quantile
    elif lost is None:
        level = service.level_within(service.slo.percentile)
    else:
        level = service.level_within(1 - marginal / lost if lost > 0 else 0.0)
    if service.demand_quantile is None and stated:
        level = min(max(level, stated[0]), stated[-1])
    return Purchase(level, whole / (1 - service.slo.percentile) if lost is None else lost)


def _cost_per_request(
    view: ServiceView, rps: float, catalogue: Catalogue, capacity: CapacityModel
) -> tuple[float, float]:
    """(of one more request, of a request when whole replicas serve `rps`), on the cheapest flavor."""
    costs = [(0.0, 0.0)]
    for name in view.service.flavors:
        if name not in view.profiles:
            continue
        pooled = pooling(capacity, view.profiles[name], view.service.slo, view.dispatch)
        each_rps = pooled.rps_each(rps, view.service.max_replicas)
        if each_rps > 0:
            marginal = catalogue.flavor(name).cost_per_hour / SECONDS_PER_HOUR / each_rps
            needed = rps / each_rps
            costs.append((marginal, marginal * (ceil(needed - 1e-9) / needed if needed > 1e-9 else 1.0)))
    return min(costs[1:], default=costs[0])
