"""One service's planning program as rows, compiled: what `search` branches on.

Replicas of one flavor are interchangeable. Let u[t] be started at t, and h[t] of those whose least
holding time D = max(set-up L, lease) is over be held during t. With the existing replicas

    h[t] <= h[t-1] + u[t-D] + freed[t]                                  (flow)
    ready y[t] = u[t-D+1] + … + u[t-L] + h[t] + stuck that serve
    paid  n[t] = u[t-D+1] + … + u[t]   + h[t] + stuck
    Σ rps·y[t] + z[t] >= demand[t]                                      (cover)

which is the minimum-up-time polytope (Rajan and Takriti, "Minimum up/down polytopes of the unit commitment
problem with start-up costs", 2005) with the lower bound on ready replicas as a bound on h. That polytope is
integral; fractions come from the cover rows alone, and mixed-integer rounding (Marchand and Wolsey,
"Aggregation and mixed integer rounding to solve MIPs", 2001) tightens those: with divisor δ, right
side b and f = b/δ - ⌊b/δ⌋,

    Σ (⌊a/δ⌋ + min(1, (a/δ - ⌊a/δ⌋)/f))·y + z/(δ f) >= ⌈b/δ⌉.           (rounding)

What goes unserved, z, is the sum of its parts, which cost more the more there are of them. Flavors of one
family change into each other in place once the holding time is over, so they share one flow: the
right side of their sum is as above, and each has r[t] more on its own right side, resized at the cost
of a switch. That is exact; where switches are free of charge, r and the rows of each one are left out.

See `service_variables` for their order.
"""

import math
from typing import Any

import numpy as np

from barista_plugins.compiled import compiled
from barista_plugins.packed import Packed
from barista_plugins.service_variables import (
    costs,
    counts_resizes,
    first_resize,
    has_kin,
    parts,
    variables,
)
from barista_plugins.simplex import Rows

LEAST_FRACTION = 1e-3
TINY_RPS = 1e-9


@compiled
def first_cover_row(p: Packed, s: int, t: int) -> int:
    """The row that covers step `t`; those that tighten it follow, up to the one of the next step."""
    options, steps = p.first[s + 1] - p.first[s], p.demand.shape[1]
    return int(options * steps + t * (options + 1))


@compiled
def first_ready_row(p: Packed, s: int) -> int:
    """The row of the replicas ready at step 0 of the first option; then by option and step."""
    return int(first_cover_row(p, s, p.demand.shape[1]) + p.demand.shape[1])


@compiled
def most_rows(p: Packed, s: int) -> int:
    """How many rows it has at most: flow, cover, rounding, bounds, ready, room, families."""
    options, steps = p.first[s + 1] - p.first[s], p.demand.shape[1]
    return int(steps * (options + 1 + options + 1 + options + p.takes.shape[1] + options) + 1)


@compiled
def most_entries(p: Packed, s: int) -> int:
    """How many numbers other than zero those rows have at most."""
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    held = 0
    for o in range(p.first[s], p.first[s + 1]):
        held += p.hold[o] + 2
    of_covers = (options + 1) * parts(p, s)
    return int(steps * (7 * options + held * (3 + options + p.takes.shape[1]) + of_covers) + variables(p, s))


@compiled
def _put(rows: Rows, at: int, column: int, value: float) -> int:
    rows.column[at] = column
    rows.value[at] = value
    return at + 1


@compiled
def _put_ready(p: Packed, s: int, f: int, t: int, weight: float, rows: Rows, at: int) -> int:
    steps, o = p.demand.shape[1], p.first[s] + f
    for b in range(max(0, t - p.hold[o] + 1), t - p.setup[o] + 1):
        at = _put(rows, at, f * steps + b, weight)
    return _put(rows, at, (p.first[s + 1] - p.first[s] + f) * steps + t, weight)


@compiled
def _put_paid(p: Packed, s: int, f: int, t: int, weight: float, rows: Rows, at: int) -> int:
    steps, o = p.demand.shape[1], p.first[s] + f
    for b in range(max(0, t - p.hold[o] + 1), t + 1):
        at = _put(rows, at, f * steps + b, weight)
    return _put(rows, at, (p.first[s + 1] - p.first[s] + f) * steps + t, weight)


@compiled
def _begin(rows: Rows, at: int) -> int:
    """A new row, empty as yet, whose entries begin at `at`; its number."""
    row = int(rows.count[0])
    rows.first[row] = at
    rows.count[0] = row + 1
    return row


@compiled
def _put_flow(p: Packed, s: int, f: int, t: int, rows: Rows, at: int) -> int:
    steps, o = p.demand.shape[1], p.first[s] + f
    h = (p.first[s + 1] - p.first[s] + f) * steps + t
    at = _put(rows, at, h, 1.0)
    if t > 0:
        at = _put(rows, at, h - 1, -1.0)
    if t >= p.hold[o]:
        at = _put(rows, at, f * steps + t - p.hold[o], -1.0)
    return at


@compiled
def _add_flow(p: Packed, s: int, rows: Rows, at: int, lo: Any, hi: Any) -> int:
    steps, options, n = p.demand.shape[1], p.first[s + 1] - p.first[s], variables(p, s)
    resizes = counts_resizes(p, s)
    for f in range(options):
        o = p.first[s] + f
        kin = has_kin(p, s, f)
        for t in range(steps):
            useful = t + p.setup[o] < steps or p.minimum[s] > 0
            u, h = f * steps + t, (options + f) * steps + t
            lo[u], hi[u] = 0.0, (p.most[o] if useful else 0.0)
            lo[h], hi[h] = 0.0, p.maximum[s]
            row = _begin(rows, at)
            if resizes:
                r = first_resize(p, s) + f * steps + t
                lo[r], hi[r] = 0.0, (p.maximum[s] if kin else 0.0)
                at = _put(rows, at, r, -1.0)
            if resizes or not kin:
                at = _put_flow(p, s, f, t, rows, at)
                hi[n + row] = p.freed[o, t]
    return at


@compiled
def _add_families(p: Packed, s: int, rows: Rows, at: int, hi: Any) -> int:
    """What leaves a flavor stays in its family, or is gone."""
    steps, begin, n = p.demand.shape[1], p.first[s], variables(p, s)
    for family in range(p.first[s + 1] - begin):
        if p.family[begin + family] != family or not has_kin(p, s, family):
            continue
        for t in range(steps):
            row = _begin(rows, at)
            freed = 0.0
            for f in range(family, p.first[s + 1] - begin):
                if p.family[begin + f] == family:
                    at = _put_flow(p, s, f, t, rows, at)
                    freed += p.freed[begin + f, t]
            hi[n + row] = freed
    return at


@compiled
def _add_cover(p: Packed, s: int, t: int, rows: Rows, at: int, lo: Any, hi: Any) -> int:
    """The cover row of step `t` and its roundings, on what committed replicas leave of the demand."""
    steps, begin, n = p.demand.shape[1], p.first[s], variables(p, s)
    options = p.first[s + 1] - begin
    left = p.demand[s, t]
    for o in range(begin, begin + options):
        left -= p.rps[o] * p.stuck_ready[o, t]
    z = 2 * options * steps + t
    for k in range(parts(p, s)):
        lo[z + k * steps], hi[z + k * steps] = 0.0, max(0.0, left)
        if k + 1 < parts(p, s):
            hi[z + k * steps] = min(hi[z + k * steps], p.share[p.part[s] + k] * p.demand[s, t])
    row = _begin(rows, at)
    if left > TINY_RPS:
        for f in range(options):
            at = _put_ready(p, s, f, t, min(p.rps[begin + f], left), rows, at)
        for k in range(parts(p, s)):
            at = _put(rows, at, z + k * steps, 1.0)
        lo[n + row] = left
    for g in range(options):
        row = _begin(rows, at)
        unit = min(p.rps[begin + g], left)
        fraction = left / unit - math.floor(left / unit) if unit > TINY_RPS else 0.0
        if LEAST_FRACTION < fraction < 1 - LEAST_FRACTION:
            for f in range(options):
                rate = min(p.rps[begin + f], left) / unit
                whole = math.floor(rate + 1e-9)
                part = min(1.0, max(0.0, rate - whole) / fraction)
                at = _put_ready(p, s, f, t, whole + part, rows, at)
            for k in range(parts(p, s)):
                at = _put(rows, at, z + k * steps, 1.0 / (unit * fraction))
            lo[n + row] = math.ceil(left / unit)
    return at


@compiled
def _add_counts(p: Packed, s: int, rows: Rows, at: int, lo: Any, hi: Any) -> int:
    """Minimum and maximum of what is paid, then what is ready, which only branching bounds."""
    steps, begin, n = p.demand.shape[1], p.first[s], variables(p, s)
    options = p.first[s + 1] - begin
    for t in range(steps):
        row = _begin(rows, at)
        anyway = 0.0
        for f in range(options):
            at = _put_paid(p, s, f, t, 1.0, rows, at)
            anyway += p.stuck[begin + f, t]
        hi[n + row] = p.maximum[s] - anyway
        if t >= p.binds_from[s] and p.minimum[s] > anyway:
            lo[n + row] = p.minimum[s] - anyway
    for f in range(options):
        for t in range(steps):
            _begin(rows, at)
            at = _put_ready(p, s, f, t, 1.0, rows, at)
    return at


@compiled
def _add_room(p: Packed, s: int, room: Any, rows: Rows, at: int, hi: Any) -> int:
    steps, n = p.demand.shape[1], variables(p, s)
    for r in range(room.shape[0]):
        for t in range(steps):
            if math.isinf(room[r, t]):
                continue
            row = _begin(rows, at)
            left = room[r, t]
            for o in range(p.first[s], p.first[s + 1]):
                if p.takes[o, r] > 0:
                    at = _put_paid(p, s, o - p.first[s], t, p.takes[o, r], rows, at)
                    left -= p.takes[o, r] * p.stuck[o, t]
            hi[n + row] = left
    return at


@compiled
def _add_rest(p: Packed, s: int, rows: Rows, at: int, lo: Any) -> int:
    """What is proven of all steps but the last."""
    n, steps = variables(p, s), p.demand.shape[1]
    if p.rest[s] <= 0.0 or steps < 2:
        return at
    cost = np.empty(n)
    row = _begin(rows, at)
    lo[n + row] = 1.0 - costs(p, s, p.rest_prices, steps - 1, cost) / p.rest[s]
    for j in range(n):
        if cost[j] != 0.0:
            at = _put(rows, at, j, cost[j] / p.rest[s])
    return at


@compiled
def build(p: Packed, s: int, room: Any, with_rest: bool, rows: Rows, lo: Any, hi: Any) -> None:
    """Fill the empty `rows`, and the bounds `lo`, `hi` of variables and rows, within `room` (R, T)."""
    lo[:] = -math.inf
    hi[:] = math.inf
    at = _add_flow(p, s, rows, 0, lo, hi)
    for t in range(p.demand.shape[1]):
        at = _add_cover(p, s, t, rows, at, lo, hi)
    at = _add_counts(p, s, rows, at, lo, hi)
    at = _add_room(p, s, room, rows, at, hi)
    at = _add_families(p, s, rows, at, hi)
    if with_rest:
        at = _add_rest(p, s, rows, at, lo)
    rows.first[rows.count[0]] = at
