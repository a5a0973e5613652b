"""The planning problem as a tight mixed-integer program.

Replicas of one service on one flavor are interchangeable, so two whole numbers a step stand for
them: `start[t]` replicas started and `ready[t]` replicas ready. What PROBLEM.md says of a replica's
life becomes, with set-up time L, least holding time D = max(L, lease) and the existing replicas,

    ready[t] <= ready[t-1] + start[t-L] + existing that become ready at t
    ready[t] >= start[t-D+1] + … + start[t-L] + existing that are ready and may not be stopped
    paid[t]   = ready[t] + start[t-L+1] + … + start[t] + existing that are not ready yet

the minimum-up-time inequalities of unit commitment. Their polytope has whole corners, so all that
is fractional comes from covering the demand. There the program is tightened: committed replicas are
taken off the demand, rates are cut to what is left of it, and for each flavor's rate the
mixed-integer-rounding inequality joins the row (Marchand and Wolsey, "Aggregation and mixed
integer rounding to solve MIPs", 2001). Flavors that another one replaces without loss start nothing.

Replicas resized in place come to `ready` at once, and over a family no more are ready than were, or come by a
start. What goes unserved is the sum of its parts, which cost more the more there are of them.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from barista.values.flavor import RESOURCES, Flavor
from barista.values.problem import FlavorOption, FlavorPlan, Problem, ServiceProblem
from barista_plugins.cbc import weighted_sum
from barista_plugins.worth_starting import kin, most_starts

Amounts = npt.NDArray[np.float64]

SECONDS_PER_HOUR = 3600.0
TINY_RPS = 1e-9
ROOM_TOLERANCE = 1e-6
NO_BOUND = 1e30
"""From here on a bound is what CBC says for having none."""
LEAST_FRACTION = 1e-3
"""Rounding inequalities on a smaller fraction have coefficients too large to be worth it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A service's replicas on one flavor: the variables of each step, and what exists already.

    `resized` counts those that become this flavor in place; it is empty where none can. For each step,
    `existing_ready` counts the existing replicas that have become ready, `stuck` those
    of them that may not be stopped yet, `pending` those that are not ready.
    """

    service: ServiceProblem
    option: FlavorOption
    flavor: Flavor
    start: list[Any]
    ready: list[Any]
    resized: list[Any]
    existing_ready: list[int]
    stuck: list[int]
    pending: list[int]

    @property
    def hold_steps(self) -> int:
        """Steps from a start to the first at which the replica may be stopped."""
        return max(self.option.setup_steps, self.option.lease_steps)

    def paid(self, t: int) -> list[Any]:
        """Variables whose sum, with `pending`, is the number of replicas paid at step `t`."""
        return [self.ready[t], *self.start[max(0, t - self.option.setup_steps + 1) : t + 1]]

    def values(self, plan: FlavorPlan | None) -> list[tuple[Any, float]]:
        """The variables' values in `plan`, in which nothing starts or stops where it is None."""
        steps, lead = len(self.start), self.option.setup_steps
        nothing = (0,) * steps
        starts, stops, resized = (
            (plan.start, plan.stop, plan.resized or nothing) if plan else (nothing, nothing, nothing)
        )
        fresh = [start - moved for start, moved in zip(starts, resized, strict=True)]
        ready = [
            self.existing_ready[t]
            + sum(fresh[: max(0, t - lead + 1)])
            + sum(resized[: t + 1])
            - sum(stops[: t + 1])
            for t in range(steps)
        ]
        return [
            *zip(self.start, map(float, fresh), strict=True),
            *zip(self.ready, map(float, ready), strict=True),
            *(zip(self.resized, map(float, resized), strict=True) if self.resized else ()),
        ]

    def plan(self) -> FlavorPlan:
        """Starts and stops of the solution found; what comes without a set-up was resized."""
        fresh = [round(variable.x) for variable in self.start]
        ready = [round(variable.x) for variable in self.ready]
        lead = self.option.setup_steps
        left = [
            self.existing_ready[t] + sum(fresh[: max(0, t - lead + 1)]) - ready[t] for t in range(len(fresh))
        ]
        gone = [now - before for before, now in zip([0, *left], left, strict=False)]
        resized = tuple(max(0, -count) for count in gone)
        return FlavorPlan(
            tuple(start + moved for start, moved in zip(fresh, resized, strict=True)),
            tuple(max(0, count) for count in gone),
            resized if any(resized) else (),
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """What a problem's programs have in common.

    Arrays go over the resources of all pools (R) and the steps (T). `room` (R, T) is what the pools
    have; `takes` tells what a replica of each flavor holds (R). Costs count in `unit_cost`, the least that
    a replica costs for a step: the solver's tolerances are absolute, and the costs of a cycle of
    seconds are not far above them.
    """

    problem: Problem
    flavors: Mapping[str, Flavor]
    binds_from: Mapping[str, int]
    unit_cost: float
    takes: Mapping[str, Amounts]
    room: Amounts

    @staticmethod
    def of(problem: Problem) -> "Setting":
        """What the programs of `problem` have in common."""
        resources = [(pool, resource) for pool in problem.pools for resource in RESOURCES]
        per_step = problem.step_s / SECONDS_PER_HOUR
        costs = [f.cost_per_hour * per_step for f in problem.flavors if f.cost_per_hour > 0]
        room = np.repeat([[pool.amount(resource)] for pool, resource in resources], problem.steps, axis=1)
        return Setting(
            problem=problem,
            flavors={flavor.name: flavor for flavor in problem.flavors},
            binds_from=minimum_binds_from(problem),
            unit_cost=min(costs, default=1.0),
            takes={
                f.name: np.array([f.amount(r) if f.pool == pool.name else 0.0 for pool, r in resources])
                for f in problem.flavors
            },
            room=room,
        )

    def step_cost(self, flavor: str) -> float:
        """What a replica costs for a step."""
        return self.flavors[flavor].cost_per_hour * self.problem.step_s / SECONDS_PER_HOUR / self.unit_cost


@dataclass(frozen=True, slots=True)
class Program:
    """A mixed-integer program and the fleets its variables stand for."""

    model: Any
    setting: Setting
    fleets: list[Fleet]

    @property
    def cost(self) -> float:
        """What the solution found costs."""
        return float(self.model.objective_value) * self.setting.unit_cost

    @property
    def bound(self) -> float | None:
        """What every solution costs at least, as far as proven."""
        bound = self.model.objective_bound
        if bound is None or abs(bound) >= NO_BOUND:
            return None
        return float(bound) * self.setting.unit_cost

    def services(self) -> dict[str, dict[str, FlavorPlan]]:
        """Starts and stops of the solution found, by service and flavor."""
        plans: dict[str, dict[str, FlavorPlan]] = {}
        for fleet in self.fleets:
            plans.setdefault(fleet.service.name, {})[fleet.option.flavor] = fleet.plan()
        return plans

    def begin_with(self, services: Mapping[str, Mapping[str, FlavorPlan]]) -> None:
        """Let the solver begin with the plan `services`."""
        self.model.start = [
            pair
            for fleet in self.fleets
            for pair in fleet.values(services.get(fleet.service.name, {}).get(fleet.option.flavor))
        ]


def formulate(problem: Problem, model: Any) -> Program:
    """Add the planning of `problem` to the empty python-mip `model`."""
    setting = Setting.of(problem)
    steps = range(problem.steps)
    cost: defaultdict[Any, float] = defaultdict(float)
    anyway = 0.0
    fleets: list[Fleet] = []
    for service in problem.services:
        own = [_fleet(service, option, setting, model) for option in service.flavors]
        for fleet in own:
            _add_life(fleet, model)
            step_cost = setting.step_cost(fleet.flavor.name)
            for t in steps:
                anyway += step_cost * fleet.pending[t]
                for variable in fleet.paid(t):
                    cost[variable] += step_cost
            anyway += _add_switching(fleet, setting, cost)
        _add_families(own, model)
        lost = service.shortfall_cost_per_request * problem.step_s / setting.unit_cost
        for t in steps:
            for unserved, factor in _add_cover(service, own, t, model):
                cost[unserved] = lost * factor
            _add_bounds(service, own, t, t >= setting.binds_from[service.name], model)
        fleets += own
    _add_room(fleets, setting, model)
    model.objective = weighted_sum(cost.items(), anyway)
    return Program(model, setting, fleets)


def _add_switching(fleet: Fleet, setting: Setting, cost: defaultdict[Any, float]) -> float:
    """Let starts and stops cost what the service says; returns what is paid whatever the variables are.

    Stops are what has become ready and is so no more at the end: there are no variables for them.
    """
    switching = fleet.service.switching_cost / setting.unit_cost
    for t, start in enumerate(fleet.start):
        is_ready_in_time = t + fleet.option.setup_steps < len(fleet.start)
        cost[start] += switching * (2 if is_ready_in_time else 1)
    cost[fleet.ready[-1]] -= switching
    for moved in fleet.resized:
        cost[moved] += switching
    return switching * fleet.existing_ready[-1]


def minimum_binds_from(problem: Problem) -> dict[str, int]:
    """By service, the first step at which its minimum must hold (PROBLEM.md, "Minimum")."""
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    room = {(pool.name, r): pool.amount(r) for pool in problem.pools for r in RESOURCES}

    def stuck(service: ServiceProblem, t: int) -> list[Flavor]:
        return [flavors[e.flavor] for e in service.replicas if max(e.ready_in, e.lease_left) > t]

    def held(t: int) -> Mapping[tuple[str, str], float]:
        amounts: dict[tuple[str, str], float] = dict.fromkeys(room, 0.0)
        for flavor in (flavor for service in problem.services for flavor in stuck(service, t)):
            for resource in RESOURCES:
                amounts[flavor.pool, resource] += flavor.amount(resource)
        return amounts

    held_at = [held(t) for t in range(problem.steps)]

    def fits(service: ServiceProblem, t: int) -> bool:
        lacking = max(0, service.min_replicas - len(stuck(service, t)))
        return lacking == 0 or any(
            all(
                flavor.amount(r) * lacking + held_at[t][flavor.pool, r]
                <= room[flavor.pool, r] + ROOM_TOLERANCE
                for r in RESOURCES
            )
            for flavor in (flavors[option.flavor] for option in service.flavors)
        )

    return {
        service.name: next((t for t in range(problem.steps) if fits(service, t)), problem.steps)
        for service in problem.services
    }


def _fleet(
    service: ServiceProblem,
    option: FlavorOption,
    setting: Setting,
    model: Any,
) -> Fleet:
    mine = [replica for replica in service.replicas if replica.flavor == option.flavor]
    steps = range(setting.problem.steps)
    ready = [sum(r.ready_in <= t for r in mine) for t in steps]
    stuck = [sum(r.ready_in <= t < max(r.ready_in, r.lease_left) for r in mine) for t in steps]
    most = most_starts(service, option, setting.flavors)
    # What is never ready within the horizon is started for the sake of the minimum only.
    useful = [t + option.setup_steps < len(steps) or service.min_replicas > 0 for t in steps]
    return Fleet(
        service=service,
        option=option,
        flavor=setting.flavors[option.flavor],
        start=[model.add_var(var_type="I", ub=most if useful[t] else 0) for t in steps],
        ready=[model.add_var(var_type="I", lb=stuck[t]) for t in steps],
        resized=[
            model.add_var(ub=service.max_replicas) for t in steps if kin(service, option, setting.flavors)
        ],
        existing_ready=ready,
        stuck=stuck,
        pending=[len(mine) - ready[t] for t in steps],
    )


def _add_life(fleet: Fleet, model: Any) -> None:
    """Set-up and lease: when replicas become ready and how long they stay."""
    lead = fleet.option.setup_steps
    for t, ready in enumerate(fleet.ready):
        becoming = fleet.existing_ready[t] - (fleet.existing_ready[t - 1] if t else 0)
        gone = [(ready, 1.0)]
        gone += [(fleet.ready[t - 1], -1.0)] if t else []
        gone += [(fleet.start[t - lead], -1.0)] if t >= lead else []
        gone += [(fleet.resized[t], -1.0)] if fleet.resized else []
        model.add_constr(weighted_sum(gone, -becoming, "<"))
        held = fleet.start[max(0, t - fleet.hold_steps + 1) : max(0, t - lead + 1)]
        if held:
            model.add_constr(
                weighted_sum([(ready, 1.0), *((start, -1.0) for start in held)], -fleet.stuck[t], ">")
            )


def _add_families(fleets: Sequence[Fleet], model: Any) -> None:
    """What becomes another flavor in place leaves one of its family."""
    families: defaultdict[tuple[str, str], list[Fleet]] = defaultdict(list)
    for fleet in fleets:
        families[fleet.flavor.family, fleet.flavor.pool].append(fleet)
    for family in families.values():
        if len(family) == 1:
            continue
        for t in range(len(family[0].ready)):
            terms = [(fleet.ready[t], 1.0) for fleet in family]
            becoming = 0
            for fleet in family:
                lead = fleet.option.setup_steps
                becoming += fleet.existing_ready[t] - (fleet.existing_ready[t - 1] if t else 0)
                terms += [(fleet.ready[t - 1], -1.0)] if t else []
                terms += [(fleet.start[t - lead], -1.0)] if t >= lead else []
            model.add_constr(weighted_sum(terms, -becoming, "<"))


def _add_cover(
    service: ServiceProblem, fleets: Sequence[Fleet], t: int, model: Any
) -> list[tuple[Any, float]]:
    """Demand is served or priced; the variables of the unserved rate, and the factors of their cost."""
    committed = sum(fleet.option.rps * fleet.stuck[t] for fleet in fleets)
    left_rps = service.demand_rps[t] - committed
    if left_rps <= TINY_RPS:
        return []
    *parts, (_, last) = service.shortfall_steps or ((1.0, 1.0),)
    unserved = [
        (model.add_var(ub=min(share * service.demand_rps[t], left_rps)), factor) for share, factor in parts
    ]
    unserved.append((model.add_var(ub=left_rps), last))
    able = [fleet for fleet in fleets if fleet.option.rps > 0]
    rates = [min(fleet.option.rps, left_rps) for fleet in able]

    def cover(coefficients: Sequence[float], of_unserved: float, least: float) -> None:
        terms = [(fleet.ready[t], weight) for fleet, weight in zip(able, coefficients, strict=True)]
        taken_off = sum(w * fleet.stuck[t] for fleet, w in zip(able, coefficients, strict=True))
        terms += [(variable, of_unserved) for variable, _ in unserved]
        model.add_constr(weighted_sum(terms, -(least + taken_off), ">"))

    cover(rates, 1.0, left_rps)
    for unit in sorted(set(rates)):
        fraction = left_rps / unit - math.floor(left_rps / unit)
        if LEAST_FRACTION < fraction < 1 - LEAST_FRACTION:
            rounded = [_rounded(rate / unit, fraction) for rate in rates]
            cover(rounded, 1.0 / (unit * fraction), math.ceil(left_rps / unit))
    return unserved


def _rounded(coefficient: float, fraction: float) -> float:
    """A coefficient of the mixed-integer-rounding inequality of a row with right side of `fraction`."""
    whole = math.floor(coefficient + 1e-9)
    return whole + min(1.0, max(0.0, coefficient - whole) / fraction)


def _add_bounds(
    service: ServiceProblem, fleets: Sequence[Fleet], t: int, minimum_binds: bool, model: Any
) -> None:
    """The service's maximum and, from the step where it binds, its minimum."""
    paid = [(variable, 1.0) for fleet in fleets for variable in fleet.paid(t)]
    pending = sum(fleet.pending[t] for fleet in fleets)
    model.add_constr(weighted_sum(paid, pending - service.max_replicas, "<"))
    if minimum_binds and service.min_replicas > pending:
        model.add_constr(weighted_sum(paid, pending - service.min_replicas, ">"))


def _add_room(fleets: Sequence[Fleet], setting: Setting, model: Any) -> None:
    """What the replicas hold fits into the pools; rows that could never bind are left out."""
    for r, room in enumerate(setting.room):
        amounts = [float(setting.takes[fleet.flavor.name][r]) for fleet in fleets]
        holders = [(fleet, amount) for fleet, amount in zip(fleets, amounts, strict=True) if amount > 0]
        largest: defaultdict[str, float] = defaultdict(float)
        maximum = {fleet.service.name: fleet.service.max_replicas for fleet in fleets}
        for fleet, amount in holders:
            largest[fleet.service.name] = max(largest[fleet.service.name], amount)
        most = sum(maximum[name] * amount for name, amount in largest.items())
        for t, available in enumerate(room.tolist()):
            if holders and most > available:
                terms = [(variable, amount) for fleet, amount in holders for variable in fleet.paid(t)]
                pending = sum(amount * fleet.pending[t] for fleet, amount in holders)
                model.add_constr(weighted_sum(terms, pending - available, "<"))
