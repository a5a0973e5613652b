"""Planning service by service: what couples services is only the pools, and prices stand for those.

1. The linear relaxation of the whole problem prices the pools' resources at each step, and tells
   how much of them each service may expect.
2. In turn, each service's own program is solved at these prices. Together these prove a bound
   (Lagrange). A plan that fits beside what others took, or may expect, is kept; otherwise the
   service is planned again within the room that these leave.
3. Services are planned at other prices too, and the best combination of all plans known is chosen.
4. While there is time, services are planned again within all that the others leave over: one by one,
   then in groups that double in size, for what only several together could gain by trading room.
   Few services end up as one program, which settles the matter.

Where the pools do not bind, the prices are zero and step 2 finds the optimum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from barista.values.problem import PlanStatus, Problem, ServiceProblem
from barista_plugins.cbc import Budget, new_model, optimize, relax
from barista_plugins.shares import Share, Shares, recombine
from barista_plugins.unit_commitment import Amounts, Setting, formulate

ROOM_TOLERANCE = 1e-6
HARD_PARTS = 4
"""A hard service may take this many times its part of the time; most take next to nothing of theirs."""
OTHER_PRICES = (3.0, 1.5, 0.7)
"""Multiples of the relaxation's prices, the most telling first."""
LEAST_PARTS = 3
"""However few services wait, one of them leaves time for the others and for second thoughts."""
LARGEST_GROUP = 12
"""Services that are planned together at most."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a program: a share for each of its services, or none; and the bound it proved."""

    status: PlanStatus
    shares: Mapping[str, Share] = field(default_factory=dict)
    bound: float | None = None


def solve_by_service(problem: Problem, budget: Budget) -> Shares:
    """Plan `problem` within `budget`; usable once every service has its share."""
    whole = Setting.of(problem)
    begun = perf_counter()
    relaxation = formulate(problem.services, whole, new_model())
    status = relax(relaxation.model, budget)
    relaxed = perf_counter()
    if status is not PlanStatus.OPTIMAL:
        return Shares(status, seconds={"relax": relaxed - begun})
    shares = Shares(PlanStatus.TIMED_OUT, bound=relaxation.bound)
    expected = {service.name: relaxation.usage([service]) for service in problem.services}
    priced = replace(whole, prices=relaxation.shadow_prices)
    # A gap of the whole is a gap of its parts: what hardly counts need not be solved closely.
    closely = budget.gap * (relaxation.bound or 0.0) / whole.unit_cost / len(problem.services)
    budget = replace(budget, gap_absolute=closely)
    _share_out(shares, priced, expected, budget)
    shared = perf_counter()
    if len(shares.of) == len(problem.services):
        shares.status = PlanStatus.FEASIBLE
        _try_prices(shares, priced, budget)
        _improve(shares, whole, budget)
    if len(problem.services) <= LARGEST_GROUP:
        _plan_as_one(shares, whole, budget)
    shares.seconds = {"relax": relaxed - begun, "share": shared - relaxed, "improve": perf_counter() - shared}
    return shares


def _share_out(shares: Shares, priced: Setting, expected: Mapping[str, Amounts], budget: Budget) -> None:
    """Plan each service at the prices and within the room; the plans prove a bound on the way."""
    apart = replace(priced, room=np.full_like(priced.room, np.inf))
    taken = sum(expected.values(), np.zeros_like(priced.room))
    proven = -float((priced.prices * priced.room).sum()) * priced.unit_cost
    # Who loses most by a lost request comes last: it gets all the room that rounding left over.
    waiting = sorted(priced.problem.services, key=lambda service: service.shortfall_cost_per_request)
    late: list[ServiceProblem] = []
    for i, service in enumerate(waiting):
        attempt = _solve([service], apart, _part(budget, len(waiting) - i))
        share = attempt.shares.get(service.name)
        if share is None or attempt.bound is None:
            return
        proven += attempt.bound
        shares.note(attempt.shares)
        others = taken - expected[service.name]
        within: Share | None = share
        if (others + share.usage > priced.room + ROOM_TOLERANCE).any():
            left_over = replace(priced, room=priced.room - others)
            within = _solve([service], left_over, _part(budget, len(waiting) - i)).shares.get(service.name)
        if within is None:
            late.append(service)
        else:
            shares.give(service.name, within)
            taken = others + within.usage
    shares.bound = proven if shares.bound is None else max(shares.bound, proven)
    for i, service in enumerate(late):
        taken = taken - expected[service.name]
        left_over = replace(priced, room=priced.room - taken)
        within = _solve([service], left_over, _part(budget, len(late) - i)).shares.get(service.name)
        if within is None:
            return
        shares.give(service.name, within)
        taken = taken + within.usage


def _try_prices(shares: Shares, priced: Setting, budget: Budget) -> None:
    """Choose among the plans known; learn what services would do at other prices, and choose again."""
    recombine(shares, priced.room, priced.unit_cost, budget.slice(2))
    for factor in OTHER_PRICES:
        other = replace(priced, room=np.full_like(priced.room, np.inf), prices=priced.prices * factor)
        paying = [s for s in priced.problem.services if (shares.of[s.name].usage * priced.prices).any()]
        to_learn = budget.slice(10 / 9)
        for i, service in enumerate(paying):
            if shares.is_proven(budget.gap) or to_learn.is_spent:
                break
            found = _solve([service], other, _part(to_learn, len(paying) - i)).shares
            shares.note(found)
        if shares.is_proven(budget.gap) or budget.is_spent:
            return
        recombine(shares, priced.room, priced.unit_cost, budget)


def _improve(shares: Shares, whole: Setting, budget: Budget) -> None:
    """Plan groups of services again within what the others leave, until it is proven or time is over."""
    services = whole.problem.services
    group = 1
    while group <= LARGEST_GROUP and group < len(services):
        before = shares.cost
        for first in range(0, len(services), group):
            if shares.is_proven(budget.gap) or budget.is_spent:
                return
            _plan_again(services[first : first + group], shares, whole, budget)
        if shares.cost > before * (1 - budget.gap):
            group *= 2


def _plan_again(members: Sequence[ServiceProblem], shares: Shares, whole: Setting, budget: Budget) -> None:
    """Give `members` shares that are cheaper together, if there are such."""
    names = {member.name for member in members}
    taken = sum((s.usage for name, s in shares.of.items() if name not in names), np.zeros_like(whole.room))
    found = _solve(members, replace(whole, room=whole.room - taken), budget).shares
    if found and sum(share.cost for share in found.values()) < sum(shares.of[name].cost for name in names):
        shares.of.update(found)


def _plan_as_one(shares: Shares, whole: Setting, budget: Budget) -> None:
    """Settle what is not proven yet by one program: cheaper, better bounded, or without any plan."""
    if shares.status is PlanStatus.FEASIBLE and shares.is_proven(budget.gap):
        return
    attempt = _solve(whole.problem.services, whole, replace(budget, gap_absolute=0.0))
    if attempt.bound is not None:
        shares.bound = attempt.bound if shares.bound is None else max(shares.bound, attempt.bound)
    if shares.status is not PlanStatus.FEASIBLE:
        shares.status = attempt.status
        shares.of = dict(attempt.shares)
    elif attempt.shares and sum(share.cost for share in attempt.shares.values()) < shares.cost:
        shares.of = dict(attempt.shares)


def _part(budget: Budget, waiting: int) -> Budget:
    """What one of `waiting` services may take of the budget."""
    return budget.slice(max(LEAST_PARTS, waiting / HARD_PARTS))


def _solve(services: Sequence[ServiceProblem], setting: Setting, budget: Budget) -> Attempt:
    """Plan `services` in `setting` by one program."""
    if budget.is_spent:
        return Attempt(PlanStatus.TIMED_OUT)
    program = formulate(services, setting, new_model())
    status = optimize(program.model, budget)
    if status not in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE):
        return Attempt(status)
    plans = program.services()
    shares = {
        service.name: Share(plans[service.name], program.cost([service]), program.usage([service]))
        for service in services
    }
    return Attempt(status, shares, program.bound)
