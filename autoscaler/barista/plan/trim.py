"""Trim: gives back what later purchases made superfluous.

Stays are bought one after the other, and one bought late may serve what an earlier one was bought
for. Whatever costs more than the requests that would be lost without it goes: a whole stay, or the last
step of one. Besides the cost this frees room for the services that come after.
"""

import numpy as np

from barista.plan.counts import delayed, existing, hold_steps
from barista.plan.draft import Draft

EPSILON = 1e-12


def trim(draft: Draft) -> None:
    """Give back stays of `draft` and their last steps, dearest flavor first, while that saves cost."""
    dearest_first = np.argsort(-draft.terms.step_cost, kind="stable").tolist()
    while any(_give_back_one(draft, flavor) for flavor in dearest_first):
        pass


def _give_back_one(draft: Draft, flavor: int) -> bool:
    """Give back what saves anything at all; False when nothing of this flavor does.

    A start and an end taken away together are a stay, or make one stay of two that overlap.
    """
    lead = int(draft.terms.setup[flavor])
    for end in np.flatnonzero(draft.ending[flavor]).tolist():
        for begin in np.flatnonzero(draft.started[flavor, :end]).tolist():
            if _saves(draft, flavor, begin, end, begin + lead):
                draft.started[flavor, begin] -= 1
                draft.cut(flavor, begin, end, begin + lead)
                if _is_allowed(draft, flavor):
                    return True
                draft.start(flavor, begin, end)
        if end > 0 and _saves(draft, flavor, end - 1, end, end - 1):
            draft.cut(flavor, end - 1, end, end - 1)
            draft.ending[flavor, end - 1] += 1
            if _is_allowed(draft, flavor):
                return True
            draft.prolong(flavor, end - 1, end)
    return False


def _saves(draft: Draft, flavor: int, begin: int, end: int, ready: int) -> bool:
    """Whether a replica held from `begin` to `end`, serving from `ready`, costs more than it serves."""
    spare = draft.spare_rps[ready:end]
    lost_rps = np.maximum(0.0, draft.terms.rps[flavor] - np.maximum(0.0, spare))
    lost_rps = np.where(spare < 0, draft.terms.rps[flavor], lost_rps)
    cost = float(draft.terms.step_cost[flavor]) * (end - begin)
    return cost > draft.terms.lost_cost * float(lost_rps.sum()) + EPSILON


def _is_allowed(draft: Draft, flavor: int) -> bool:
    """Whether leases and the minimum are kept."""
    option = draft.terms.service.flavors[flavor]
    stoppable = existing(draft.terms.service, option.flavor, draft.terms.steps).stoppable
    started = np.cumsum(draft.started[flavor])
    stopped = np.cumsum(draft.ending[flavor, : draft.terms.steps])
    keeps_leases = bool((stopped <= stoppable + delayed(started, hold_steps(option))).all())
    return keeps_leases and not draft.lacking().any()
