"""Pose: from a situation and its forecasts to the planning problem. Pure.

Demand bought is the chosen quantile of the forecast, re-anchored at now; set-up, lease and
readiness are rounded up to steps; capacity, which is not linear in the replicas, enters as the
capacity per replica at the expected count.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from barista.capacity.published import CapacityModel
from barista.values.forecast import Forecast
from barista.values.problem import ExistingReplica, FlavorOption, Problem, ServiceProblem
from barista.values.profile import ExecutionProfile
from barista.values.replica import Phase, Replica
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

SETUP_LEVEL = 0.95
"""A replica is planned to serve after the set-up time that 95 % of the starts keep."""


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
        setups = [profile.setup_time.quantile(SETUP_LEVEL) for profile in profiles]
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
) -> Problem:
    """The problem at `now_s`. A service without forecast, replicas or a usable flavor is left out."""
    services = (
        _pose_service(view, forecasts[view.service.id], now_s, horizon, capacity)
        for view in situation.services
        if view.service.id in forecasts and view.replicas is not None
    )
    return Problem(
        name=f"cycle-{situation.memory.cycles}",
        step_s=horizon.step_s,
        steps=horizon.steps,
        pools=tuple(situation.catalogue.pools.values()),
        flavors=tuple(situation.catalogue.flavors.values()),
        services=tuple(service for service in services if service.flavors),
    )


def anchored_demand(forecast: Forecast, level: float, now_s: float, horizon: Horizon) -> tuple[float, ...]:
    """The quantile at `level` on steps that begin at `now_s` (requests/s).

    A step that touches several steps of the forecast needs the largest of them; past the end of
    the forecast its last step is taken to last.
    """
    row = forecast.quantile(level)
    last = len(row) - 1

    def at(step: int) -> float:
        begin = (now_s + step * horizon.step_s - forecast.origin_s) / forecast.step_s
        first = min(max(math.floor(begin + 1e-6), 0), last)
        end = min(max(math.ceil(begin + horizon.step_s / forecast.step_s - 1e-6) - 1, first), last)
        return max(row[first : end + 1])

    return tuple(at(step) for step in range(horizon.steps))


def _pose_service(
    view: ServiceView, forecast: Forecast, now_s: float, horizon: Horizon, capacity: CapacityModel
) -> ServiceProblem:
    service = view.service
    demand = anchored_demand(forecast, service.demand_quantile, now_s, horizon)
    options = tuple(
        option
        for name in service.flavors
        if name in view.profiles
        and (option := _option(view, view.profiles[name], max(demand), horizon, capacity)).rps > 0
    )
    usable = {option.flavor: option for option in options}
    return ServiceProblem(
        name=service.id,
        demand_rps=demand,
        shortfall_cost_per_request=service.shortfall_cost_per_request,
        min_replicas=service.min_replicas,
        max_replicas=service.max_replicas,
        flavors=options,
        replicas=tuple(
            _existing(replica, usable[replica.flavor], now_s, horizon)
            for replica in view.replicas or ()
            if replica.phase is not Phase.DRAINING and replica.flavor in usable
        ),
    )


def _option(
    view: ServiceView, profile: ExecutionProfile, peak_rps: float, horizon: Horizon, capacity: CapacityModel
) -> FlavorOption:
    slo = view.service.slo
    alone = capacity.rps(profile, slo, view.dispatch, 1)
    expected = max(1, math.ceil(peak_rps / alone)) if alone > 0 else 1
    return FlavorOption(
        flavor=profile.flavor,
        rps=capacity.rps(profile, slo, view.dispatch, expected) / expected,
        setup_steps=_steps(profile.setup_time.quantile(SETUP_LEVEL), horizon),
        lease_steps=_steps(view.service.lease_s, horizon),
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
