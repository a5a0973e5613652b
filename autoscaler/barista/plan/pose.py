"""Pose: from a situation and its forecasts to the planning problem. Pure.

Demand bought is the chosen quantile of the forecast, re-anchored at now; set-up, lease and
readiness are rounded up to steps; capacity, which is not linear in the replicas, enters as that of a
replica among as many as the busiest step needs. A service's priority is a factor of what its requests cost
when they are lost, and where a pool is too small, that cost rises with the share lost (see `fairness`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from barista.plan.fairness import fair
from barista.plan.pooling import pooling
from barista.plan.quantile import purchase
from barista.ports.capacity import CapacityModel
from barista.values.flavor import Catalogue, Pool, Resource
from barista.values.forecast import Forecast
from barista.values.problem import ExistingReplica, FlavorOption, Problem, ServiceProblem
from barista.values.profile import ExecutionProfile
from barista.values.replica import Counts, Phase, Replica
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """The planning grid: `steps` steps of `step_s` seconds."""

    step_s: float
    steps: int

    @staticmethod
    def spanning(
        profiles: Iterable[ExecutionProfile],
        longest_lease_s: float,
        steps: int = 12,
        step_min_s: float = 10.0,
        step_max_s: float = 300.0,
    ) -> "Horizon":
        """The step is the shortest set-up time within its bounds; the horizon covers set-up + lease."""
        setups = [profile.planned_setup_s for profile in profiles]
        if not setups:
            return Horizon(step_max_s, steps)
        step_s = min(max(math.ceil(min(setups)), step_min_s), step_max_s)
        return Horizon(step_s, max(steps, math.ceil((max(setups) + longest_lease_s) / step_s) + 1))


def pose(
    situation: Situation,
    forecasts: Mapping[ServiceId, Forecast],
    now_s: float,
    horizon: Horizon,
    capacity: CapacityModel,
    switching_steps: float = 0.0,
) -> Problem:
    """The problem at `now_s`. A service without forecast, replicas or a usable flavor is left out.

    A change of a service costs what `switching_steps` steps of its cheapest flavor cost.
    """
    posed = (
        _pose_service(view, forecasts[view.service.id], now_s, horizon, capacity, situation.catalogue)
        for view in situation.services
        if view.service.id in forecasts and view.replicas is not None
    )
    services = tuple(
        replace(
            service, switching_cost=switching_steps * _cheapest_step(service, situation.catalogue, horizon)
        )
        for service in posed
        if service.flavors
    )
    return fair(
        Problem(
            name=f"cycle-{situation.memory.cycles}",
            step_s=horizon.step_s,
            steps=horizon.steps,
            pools=_room(situation, services),
            flavors=tuple(situation.catalogue.flavors.values()),
            services=services,
        )
    )


def anchored_demand(forecast: Forecast, level: float, now_s: float, horizon: Horizon) -> tuple[float, ...]:
    """The quantile at `level` on steps that begin at `now_s` (requests/s).

    A step that touches several steps of the forecast needs the largest of them; past the end of
    the forecast its last step is taken to last.
    """
    starts_s = (now_s + step * horizon.step_s for step in range(horizon.steps))
    return tuple(forecast.peak(level, start_s, start_s + horizon.step_s) for start_s in starts_s)


def _pose_service(
    view: ServiceView,
    forecast: Forecast,
    now_s: float,
    horizon: Horizon,
    capacity: CapacityModel,
    catalogue: Catalogue,
) -> ServiceProblem:
    service = view.service
    bought = purchase(view, forecast, catalogue, capacity)
    demand = anchored_demand(forecast, bought.level, now_s, horizon)
    options = tuple(
        option
        for name in service.flavors
        if name in view.profiles
        and (option := _option(view, view.profiles[name], max(demand), horizon, capacity)).rps > 0
    )
    usable = {option.flavor: option for option in options}
    existing = tuple(
        _existing(replica, usable[replica.flavor], now_s, horizon)
        for replica in view.replicas or ()
        if replica.phase is not Phase.DRAINING and replica.flavor in usable
    )
    return ServiceProblem(
        name=service.id,
        demand_rps=_lifted(view, demand, options, catalogue, capacity),
        shortfall_cost_per_request=bought.shortfall_cost_per_request * service.priority,
        min_replicas=service.min_replicas,
        # A maximum below what cannot be stopped yet would leave no feasible plan at all.
        max_replicas=max(service.max_replicas, len(_locked(existing))),
        flavors=options,
        replicas=existing,
    )


def _cheapest_step(service: ServiceProblem, catalogue: Catalogue, horizon: Horizon) -> float:
    """What a replica of the service's cheapest flavor costs for a step."""
    cheapest = min(catalogue.flavors[option.flavor].cost_per_hour for option in service.flavors)
    return cheapest * horizon.step_s / SECONDS_PER_HOUR


def _room(situation: Situation, services: tuple[ServiceProblem, ...]) -> tuple[Pool, ...]:
    """The pools less what replicas outside the problem hold, yet with room for what cannot be stopped."""
    flavors = situation.catalogue.flavors
    held = Counter(
        replica.flavor
        for view in situation.services
        for replica in view.replicas or ()
        if replica.phase is not Phase.DRAINING
    )
    inside = Counter(replica.flavor for service in services for replica in service.replicas)
    locked = Counter(replica.flavor for service in services for replica in _locked(service.replicas))

    def used(counts: Counts, pool: str, resource: Resource) -> float:
        of_pool = ((n, flavors[name]) for name, n in counts.items() if name in flavors)
        return sum(n * flavor.amount(resource) for n, flavor in of_pool if flavor.pool == pool)

    def amount(pool: Pool, resource: Resource) -> float:
        left = pool.amount(resource) - used(held - inside, pool.name, resource)
        return max(left, used(locked, pool.name, resource))

    return tuple(
        Pool(pool.name, amount(pool, "cpu"), amount(pool, "memory_gib"), amount(pool, "gpu"))
        for pool in situation.catalogue.pools.values()
    )


def _locked(replicas: tuple[ExistingReplica, ...]) -> tuple[ExistingReplica, ...]:
    """Replicas that may not be stopped at once."""
    return tuple(replica for replica in replicas if max(replica.ready_in, replica.lease_left) > 0)


def _option(
    view: ServiceView, profile: ExecutionProfile, peak_rps: float, horizon: Horizon, capacity: CapacityModel
) -> FlavorOption:
    pooled = pooling(capacity, profile, view.service.slo, view.dispatch)
    return FlavorOption(
        flavor=profile.flavor,
        rps=pooled.rps_each(peak_rps, view.service.max_replicas),
        setup_steps=_steps(profile.planned_setup_s, horizon),
        lease_steps=_steps(view.service.lease_s, horizon),
    )


def _lifted(
    view: ServiceView,
    demand_rps: tuple[float, ...],
    options: tuple[FlavorOption, ...],
    catalogue: Catalogue,
    capacity: CapacityModel,
) -> tuple[float, ...]:
    """The demand in requests/s of a replica among as many as the busiest step needs (see `pooling`).

    The flavor with the least cost per request stands for all.
    """
    if not options:
        return demand_rps
    option = min(options, key=lambda one: (catalogue.flavor(one.flavor).cost_per_hour / one.rps, one.flavor))
    pooled = pooling(capacity, view.profiles[option.flavor], view.service.slo, view.dispatch)
    return tuple(
        max(rps, option.rps * pooled.replicas_for(rps, view.service.max_replicas)) for rps in demand_rps
    )


def _existing(replica: Replica, option: FlavorOption, now_s: float, horizon: Horizon) -> ExistingReplica:
    if replica.phase is Phase.READY:
        ready_in = 0
    elif replica.ready_at_s is None:
        ready_in = option.setup_steps
    else:
        # Starting and overdue still means not ready: a step at least.
        ready_in = max(1, _steps(replica.ready_at_s - now_s, horizon))
    return ExistingReplica(replica.flavor, ready_in, _steps(replica.lease_until_s - now_s, horizon))


def _steps(seconds: float, horizon: Horizon) -> int:
    return max(0, math.ceil(seconds / horizon.step_s - 1e-9))
