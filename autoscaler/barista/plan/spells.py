"""Spells: a replica is another flavor of its family for some steps, resized in place and back.

A spell changes what a service holds, serves and pays at its own steps only, and each of those by itself.
So the best spell is the stretch of steps with the largest sum of gains, found for all pairs of flavors at
once, and spells are added until none pays.
"""

import numpy as np

from barista.plan.counts import ROOM_TOLERANCE, Amounts
from barista.plan.draft import Mask
from barista.plan.holding import Holding

EPSILON = 1e-12


def add_spells(holding: Holding, free: Amounts) -> None:
    """Add the spell that saves most, until none saves anything; `free` is what the pools have for it."""
    while (spell := _best_spell(holding, free)) is not None:
        holding.resize(*spell)


def _best_spell(holding: Holding, free: Amounts) -> tuple[int, int, int, int] | None:
    """(flavor before, flavor after, begin, end) of the spell that saves most; None when none does."""
    terms, steps = holding.terms, holding.terms.steps
    before, after = np.nonzero(terms.moves)
    left = (free - holding.usage(len(free)))[terms.pool[before]] + ROOM_TOLERANCE
    more = (terms.takes[after] - terms.takes[before])[:, None, :]
    open_ = (holding.slack[before] > 0) & ((more <= 0) | (more <= left)).all(axis=2)
    if not open_.any():
        return None
    now_rps = holding.served_rps
    then_rps = now_rps + (terms.rps[after] - terms.rps[before])[:, None]
    saved = (
        terms.shortfall_cost(now_rps)
        - terms.shortfall_cost(then_rps)
        - (terms.step_cost[after] - terms.step_cost[before])[:, None]
    )
    gains, blocked = _running(np.where(open_, saved, 0.0)), _running(~open_)
    begin, end = np.triu_indices(steps + 1, 1)
    value = gains[:, end] - gains[:, begin] - terms.service.switching_cost * (1 + (end < steps))
    value[blocked[:, end] > blocked[:, begin]] = -np.inf
    pair, stretch = np.unravel_index(int(np.argmax(value)), value.shape)
    if value[pair, stretch] <= EPSILON:
        return None
    return int(before[pair]), int(after[pair]), int(begin[stretch]), int(end[stretch])


def _running(values: Amounts | Mask) -> Amounts:
    """Sums along the last axis of the first 0, 1, … values."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums
