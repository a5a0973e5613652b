"""Stays: every way to hold one more replica, with what it costs and what it serves.

The published heuristic takes the configuration with the least cost per request. Here the same rule
chooses among stays: each flavor, from each step to each later one that its lease allows, begun anew (then
the set-up is paid but serves nothing) or as the prolongation of a stay that would end. So looking ahead
by the set-up time, keeping a replica over a lull, and leaving a peak unserved that costs less than a
replica are one comparison.
"""

from dataclasses import dataclass

import numpy as np

from barista.plan.counts import Amounts, Counts
from barista.plan.draft import Draft, Mask, Terms


@dataclass(frozen=True, slots=True)
class Stay:
    """A replica of flavor number `flavor` held from step `begin` to `end`, started then or kept on."""

    flavor: int
    begin: int
    end: int
    is_start: bool


class Stays:
    """All stays of one more replica of a service; arrays (2: start or keep, F, T begin, T + 1 end)."""

    def __init__(self, terms: Terms) -> None:
        steps, flavors = terms.steps, len(terms.rps)
        begin, end = np.arange(steps)[:, None], np.arange(steps + 1)[None, :]
        lead = np.minimum(steps, begin[None] + terms.setup[:, None, None])
        least = np.minimum(steps, begin[None] + terms.hold[:, None, None])
        self._terms = terms
        self._cost: Amounts = terms.step_cost[:, None, None] * np.maximum(0, end - begin)[None]
        self._start_allowed: Mask = (end[None] >= least) & (end[None] > lead)
        self._keep_allowed: Mask = np.broadcast_to(end > begin, (flavors, steps, steps + 1))
        self._serves_from: Counts = lead[:, :, 0]
        self._row = np.arange(flavors)[:, None]

    def add_best(self, draft: Draft, room: Counts, usable: Mask) -> bool:
        """Add the stay that serves at the least cost per request, as often as it stays so.

        Only stays that save more shortfall than they cost count, of flavors that are `usable` (F),
        where `room` (F, T) is left. False when there is none.
        """
        unserved = draft.unserved_rps
        if not unserved.any():
            return False
        served = np.minimum(self._terms.rps[:, None], unserved[None, :])
        up_to = _running(served)
        blocked = _running((room <= 0) | ~usable[:, None])
        open_ = (blocked[:, None, :] - blocked[:, :-1, None]) == 0
        requests = np.stack(
            [
                up_to[:, None, :] - up_to[self._row, self._serves_from][:, :, None],
                up_to[:, None, :] - up_to[:, :-1, None],
            ]
        )
        allowed = np.stack(
            [
                self._start_allowed & open_,
                self._keep_allowed & open_ & (draft.ending[:, :-1] > 0)[:, :, None],
            ]
        )
        allowed &= requests * self._terms.lost_cost > self._cost[None]
        if not allowed.any():
            return False
        rate = np.where(allowed, self._cost[None] / np.where(allowed, requests, 1.0), np.inf)
        best = _longest(np.argwhere(rate <= rate.min() * (1 + 1e-12)))
        self._add(draft, best, unserved, room)
        return True

    def _add(self, draft: Draft, stay: Stay, unserved: Amounts, room: Counts) -> None:
        f = stay.flavor
        ready = int(self._serves_from[f, stay.begin]) if stay.is_start else stay.begin
        full = int((unserved[ready : stay.end] // self._terms.rps[f]).min())
        fitting = int(room[f, stay.begin : stay.end].min())
        count = max(1, min(full, fitting))
        if stay.is_start:
            draft.start(f, stay.begin, stay.end, count)
        else:
            draft.prolong(f, stay.begin, stay.end, min(count, int(draft.ending[f, stay.begin])))


def _running(values: Amounts | Mask) -> Amounts:
    """Sums along the last axis of the first 0, 1, … values."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums


def _longest(candidates: Counts) -> Stay:
    kind, flavor, begin, end = max(candidates.tolist(), key=lambda c: (c[3] - c[2], c[0], -c[1], -c[2]))
    return Stay(flavor, begin, end, is_start=kind == 0)
