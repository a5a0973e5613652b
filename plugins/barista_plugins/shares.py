"""Shares of the pools: what a service's plan costs and holds, and the best combination of known ones.

Each service may be known to have several plans: thrifty ones, and ones that take more of the
pools to lose fewer requests. Which service gets which is a choice among few, so CBC makes it in a
moment even for many services, although each of the plans took a program of its own to find.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from barista.values.problem import FlavorPlan, PlanStatus
from barista_plugins.cbc import Budget, new_model, optimize
from barista_plugins.unit_commitment import Amounts, weighted_sum


@dataclass(frozen=True, slots=True)
class Share:
    """One service's part of the plan: starts and stops, their cost, what they hold of the pools (R, T)."""

    plan: Mapping[str, FlavorPlan]
    cost: float
    usage: Amounts


@dataclass(slots=True)
class Shares:
    """How far planning came: the share of each service that has one, and a bound on the whole.

    `known` are all shares found on the way, whether or not they fit beside the others; `seconds` tells
    the wall time by phase.
    """

    status: PlanStatus
    bound: float | None = None
    of: dict[str, Share] = field(default_factory=dict)
    known: dict[str, list[Share]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """What all shares cost."""
        return sum(share.cost for share in self.of.values())

    def give(self, service: str, share: Share) -> None:
        """Let `service` have `share`."""
        self.of[service] = share
        self.note({service: share})

    def note(self, found: Mapping[str, Share]) -> None:
        """Remember shares that services could have."""
        for service, share in found.items():
            self.known.setdefault(service, []).append(share)

    def is_proven(self, gap: float) -> bool:
        """Whether no plan is cheaper by more than `gap`."""
        return self.bound is not None and self.cost - self.bound <= gap * self.cost


def recombine(shares: Shares, room: Amounts, unit_cost: float, budget: Budget) -> None:
    """Give each service one of its known shares, so that all fit into `room` (R, T) at least cost.

    Every service has a share already; together they stay if nothing cheaper is found in time.
    """
    model = new_model()
    choices = [
        (name, share, model.add_var(var_type="B", obj=share.cost / unit_cost))
        for name, known in shares.known.items()
        for share in known
    ]
    for service in shares.known:
        model.add_constr(
            weighted_sum([(chosen, 1.0) for name, _, chosen in choices if name == service], -1.0, "=")
        )
    for at in np.ndindex(room.shape):
        held = [(chosen, float(share.usage[at])) for _, share, chosen in choices if share.usage[at] > 0]
        if held:
            model.add_constr(weighted_sum(held, -float(room[at]), "<"))
    model.start = [(chosen, 1.0) for name, share, chosen in choices if shares.of[name] is share]
    if optimize(model, budget) not in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE):
        return
    found = {name: share for name, share, chosen in choices if chosen.x > 0.5}
    if sum(share.cost for share in found.values()) < shares.cost:
        shares.of = found
