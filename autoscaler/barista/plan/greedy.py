"""The greedy planner: the published heuristic, looking ahead, for every service in turn. Needs no solver.

Each service buys stays by the least cost per request (see `stays`) while they save more than they
cost. Services take turns, those that lose most by waiting first, and buy from what the pools have left; what
every service needs for its minimum is set aside before, and bought instead when nothing better fits.
A service tries a few orders (all its flavors at once, or one of them first) and keeps the cheapest.
"""

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from barista.plan.counts import ROOM_TOLERANCE, Amounts, capacity, minimum_binds_from
from barista.plan.draft import Draft, Mask, Terms
from barista.plan.stays import Stays
from barista.plan.trim import trim
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem


class GreedyPlanner:
    """Plans by the least cost per request, service by service. Fast, deterministic, without a bound."""

    name = "greedy"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:  # noqa: ARG002  # it is done within any limit
        """A feasible plan, or why there is none; `limits` never bind."""
        begun = perf_counter()
        drafts, fault = _draft(problem)
        seconds = {"greedy": perf_counter() - begun}
        if fault is not None:
            return Plan({}, fault[0], self.name, seconds=seconds, note=fault[1])
        return Plan(
            services={draft.terms.service.name: draft.plan() for draft in drafts},
            status=PlanStatus.FEASIBLE,
            planner=self.name,
            cost=sum(draft.cost for draft in drafts),
            seconds=seconds,
        )


Fault = tuple[PlanStatus, str]


def _draft(problem: Problem) -> tuple[list[Draft], Fault | None]:
    """A draft for each service, or why some service has none."""
    flavors = {flavor.name: flavor for flavor in problem.flavors}
    binds_from = minimum_binds_from(problem)
    terms = [Terms.of(problem, s, flavors, binds_from[s.name]) for s in problem.services]
    free = np.stack([np.tile(capacity(pool), (problem.steps, 1)) for pool in problem.pools])
    pools = len(free)
    bare = [Draft(term) for term in terms]
    for draft in bare:
        free = free - draft.usage(pools)
    if fault := _fault(problem, free, bare):
        return [], fault

    # Set aside what each minimum needs; its owner gets it back when its turn comes.
    drafts: list[Draft] = []
    for draft in bare:
        aside, free = draft.copy(), free + draft.usage(pools)
        if not _meet_minimum(aside, free):
            return [], (
                PlanStatus.FAILED,
                f"service {aside.terms.service.name!r}: no room left for its minimum",
            )
        free = free - aside.usage(pools)
        drafts.append(aside)

    for i in sorted(range(len(terms)), key=lambda i: (-_urgency(terms[i]), i)):
        free = free + drafts[i].usage(pools)
        drafts[i] = _cheapest(bare[i], drafts[i], free)
        free = free - drafts[i].usage(pools)
    return drafts, None


def _fault(problem: Problem, free: Amounts, bare: list[Draft]) -> Fault | None:
    """Why there can be no plan: replicas that may not be stopped are too many."""
    for pool, left in zip(problem.pools, free, strict=True):
        if (left < -ROOM_TOLERANCE).any():
            return PlanStatus.INFEASIBLE, f"pool {pool.name!r}: holds more that may not be stopped than fits"
    for draft in bare:
        service = draft.terms.service
        if draft.paid.sum(axis=0).max(initial=0) > service.max_replicas:
            return PlanStatus.INFEASIBLE, (
                f"service {service.name!r}: more replicas that may not be stopped than max_replicas"
                f" {service.max_replicas}"
            )
    return None


def _urgency(terms: Terms) -> float:
    """What a request costs when it is lost, in units of what it costs to serve."""
    able = terms.rps > 0
    if not able.any():
        return 0.0
    cheapest = float((terms.step_cost[able] / terms.rps[able]).min())
    return terms.lost_cost / cheapest if cheapest > 0 else float("inf")


def _cheapest(bare: Draft, aside: Draft, free: Amounts) -> Draft:
    """The cheapest of the drafts that the service buys by one order of its flavors or another."""
    stays = Stays(bare.terms)
    drafts = [_bought(origin.copy(), stays, free, order) for origin, order in _orders(bare, aside)]
    return min((draft for draft in drafts if draft is not None), key=lambda draft: draft.cost)


def _orders(bare: Draft, aside: Draft) -> Iterator[tuple[Draft, tuple[Mask, ...]]]:
    """What to buy from, first and then: all flavors at once, or one of them while it pays, then all."""
    flavors = len(bare.terms.rps)
    every = np.ones(flavors, bool)
    yield aside, (every,)
    yield bare, (every,)
    if flavors > 1:
        for first in range(flavors):
            yield bare, (np.arange(flavors) == first, every)


def _bought(draft: Draft, stays: Stays, free: Amounts, order: tuple[Mask, ...]) -> Draft | None:
    """`draft` with all that is worth buying; None when its minimum does not fit any more."""
    for usable in order:
        while stays.add_best(draft, draft.room(free), usable):
            pass
    if not _meet_minimum(draft, free):
        return None
    trim(draft)
    return draft


def _meet_minimum(draft: Draft, free: Amounts) -> bool:
    """Hold replicas, at least cost, until the minimum is met. False when there is no room for that."""
    terms, steps = draft.terms, draft.terms.steps
    while (lacking := draft.lacking()).any():
        first = int(np.argmax(lacking > 0))
        met_again = np.flatnonzero(lacking[first:] == 0)
        until = first + int(met_again[0]) if len(met_again) else steps
        fits = draft.room(free) > 0
        choices: list[tuple[float, int, int, int]] = []
        for f, step_cost in enumerate(terms.step_cost.tolist()):
            choices += [
                (step_cost * (until - end), 0, f, end)
                for end in range(first + 1)
                if draft.ending[f, end] > 0 and fits[f, end:until].all()
            ]
            stays_until = min(steps, max(until, first + int(terms.hold[f])))
            if fits[f, first:stays_until].all():
                choices.append((step_cost * (stays_until - first), 1, f, stays_until))
        if not choices:
            return False
        _, is_start, f, moment = min(choices)
        if is_start:
            draft.start(f, first, moment)
        else:
            draft.prolong(f, moment, until)
    return True
