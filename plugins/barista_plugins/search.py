"""Branch and bound on one service's program, compiled: its cheapest plan at prices, what none undercuts.

Nodes are solved by the dual simplex from their parent's dictionary. The search plunges, from each node into
the child that is cheaper, until a plan is found or nothing cheaper is below; then it goes on from the open
node with the least bound. It branches on how many replicas of a flavor are ready at a step, by the
penalties of Driebeck ("An algorithm for the solution of mixed integer programming problems", 1966):
what the first dual pivot costs on either side.
"""

import math
from typing import Any

import numpy as np

from barista_plugins.compiled import compiled
from barista_plugins.packed import Packed
from barista_plugins.service_rows import build, first_cover_row, first_ready_row, most_entries, most_rows
from barista_plugins.service_variables import costs, counts_resizes, first_resize, parts, variables
from barista_plugins.simplex import (
    INFEASIBLE,
    OPTIMAL,
    Dictionary,
    Rows,
    add_row,
    entering,
    proven_bound,
    refresh,
    solution,
    solve,
)

WHOLE = 1e-5
ROOM_TOLERANCE = 1e-6
SLAB_BYTES = 1 << 26
MOST_OPEN = 1000


@compiled
def _dictionaries(count: int, rows: int, n: int) -> Dictionary:
    """Room for `count` dictionaries."""
    return Dictionary(
        np.empty((count, rows, n)),
        np.empty((count, rows), np.int64),
        np.empty((count, n), np.int64),
        np.empty((count, n), np.bool_),
        np.empty((count, n)),
        np.empty((count, rows)),
        np.empty((count, n + rows)),
        np.empty((count, n + rows)),
        np.empty((count, rows), np.int64),
        np.empty((count, 1), np.int64),
        np.empty((count, 1)),
    )


@compiled
def _at(d: Dictionary, i: int) -> Dictionary:
    return Dictionary(
        d.table[i],
        d.basic[i],
        d.nonbasic[i],
        d.at_upper[i],
        d.reduced[i],
        d.value[i],
        d.lo[i],
        d.hi[i],
        d.slot[i],
        d.size[i],
        d.objective[i],
    )


@compiled
def _copy(d: Dictionary, to: Dictionary) -> None:
    size = d.size[0]
    to.table[:size] = d.table[:size]
    to.basic[:size] = d.basic[:size]
    to.value[:size] = d.value[:size]
    to.nonbasic[:] = d.nonbasic
    to.at_upper[:] = d.at_upper
    to.reduced[:] = d.reduced
    to.lo[:] = d.lo
    to.hi[:] = d.hi
    to.slot[:] = d.slot
    to.size[:] = d.size
    to.objective[:] = d.objective


@compiled
def _activity(rows: Rows, row: int, x: Any) -> float:
    total = 0.0
    for k in range(rows.first[row], rows.first[row + 1]):
        total += rows.value[k] * x[rows.column[k]]
    return total


@compiled
def _branching(d: Dictionary, rows: Rows, ready: int, options: int, steps: int, x: Any, position: Any) -> Any:
    """The number to branch on and its value; -1: all are whole."""
    n = x.shape[0]
    chosen, at, best = -1, 0.0, -1.0
    for k in range(options * steps):
        row = ready + k
        value = _activity(rows, row, x)
        fraction = value - math.floor(value)
        if fraction < WHOLE or fraction > 1 - WHOLE:
            continue
        slot = d.slot[row]
        if slot < 0:
            slot = add_row(d, rows, row, position)
            d.size[0] -= 1
            d.slot[row] = -1
        _column, falling = entering(d, slot, -1.0)
        _column, rising = entering(d, slot, 1.0)
        down, up = falling * fraction, rising * (1 - fraction)
        score = max(min(down, 1e6), 1e-6) * max(min(up, 1e6), 1e-6)
        if score > best:
            chosen, at, best = n + row, value, score
    if chosen < 0:
        for j in range(2 * options * steps):
            fraction = x[j] - math.floor(x[j])
            if WHOLE < fraction < 1 - WHOLE:
                return j, x[j]
    return chosen, at


@compiled
def _complete(p: Packed, s: int, rows: Rows, lo: Any, hi: Any, x: Any) -> None:
    """Fill in what follows from whole starts and holdings in `x`: what goes unserved and what is resized."""
    n, steps, options = x.shape[0], p.demand.shape[1], p.first[s + 1] - p.first[s]
    x[2 * options * steps :] = 0.0
    for t in range(steps):
        row = first_cover_row(p, s, t)
        if rows.first[row + 1] > rows.first[row]:
            unserved = max(0.0, lo[n + row] - _activity(rows, row, x))
            for k in range(parts(p, s)):
                z = (2 * options + k) * steps + t
                x[z] = min(unserved, hi[z])
                unserved -= x[z]
    if counts_resizes(p, s):
        for row in range(options * steps):
            x[first_resize(p, s) + row] = max(0.0, _activity(rows, row, x) - hi[n + row])


@compiled
def _priced(p: Packed, s: int, rows: Rows, cost: Any, lo: Any, hi: Any, x: Any) -> float:
    """Make `x` whole, serve what can be served, and tell its cost; infinity when it is no plan."""
    n, steps, options = x.shape[0], p.demand.shape[1], p.first[s + 1] - p.first[s]
    for j in range(2 * options * steps):
        x[j] = math.floor(x[j] + 0.5)
    _complete(p, s, rows, lo, hi, x)
    total = 0.0
    for row in range(rows.count[0]):
        if options * steps <= row < first_cover_row(p, s, steps):
            continue
        activity = _activity(rows, row, x)
        if activity < lo[n + row] - ROOM_TOLERANCE or activity > hi[n + row] + ROOM_TOLERANCE:
            return math.inf
    for j in range(n):
        if x[j] < lo[j] - ROOM_TOLERANCE or x[j] > hi[j] + ROOM_TOLERANCE:
            return math.inf
        total += cost[j] * x[j]
    return total


@compiled
def _least_open(bounds: Any) -> int:
    """The open node with the least bound."""
    return int(np.argmin(bounds))


@compiled
def _free_place(bounds: Any) -> int:
    """A place where no node is; -1: all are taken."""
    for k in range(bounds.shape[0]):
        if math.isinf(bounds[k]):
            return k
    return -1


@compiled
def _root(d: Dictionary, cost: Any) -> None:
    """An empty dictionary, every variable at the bound that its cost asks for."""
    n = cost.shape[0]
    d.size[0] = 0
    d.slot[:] = -1
    d.nonbasic[:] = np.arange(n)
    d.at_upper[:] = cost < 0
    d.reduced[:] = cost
    refresh(d)


@compiled
def _bound(
    d: Dictionary, rows: Rows, cost: Any, bound: float, cutoff: float, x: Any, position: Any
) -> tuple[float, bool]:
    """Solve a node whose parent has `bound`: its own, and whether something may be below `cutoff` there."""
    refresh(d)
    status = solve(d, rows, cutoff, x, position)
    if status == INFEASIBLE:
        return math.inf, False
    bound = max(bound, proven_bound(d, rows, cost, np.empty(cost.shape[0])))
    return bound, status == OPTIMAL and bound < cutoff


@compiled
def _split(d: Dictionary, other: Dictionary, rows: Rows, branch: int, value: float, position: Any) -> None:
    """Make two children of `d`, itself and `other`: number `branch` below `value` or above it."""
    n = d.nonbasic.shape[0]
    if branch >= n and d.slot[branch - n] < 0:
        add_row(d, rows, branch - n, position)
    _copy(d, other)
    d.hi[branch] = math.floor(value)
    other.lo[branch] = math.floor(value) + 1


@compiled
def search(
    p: Packed,
    s: int,
    prices: Any,
    room: Any,
    nodes: int,
    gap: float,
    known: float,
    plan: Any,
    relaxed: Any,
) -> tuple[float, float]:
    """Plan service `s` at `prices` (R, T) within `room` (R, T), on about `nodes` nodes, to within `gap`.

    Plans that do not cost less than `known` are of no interest. Returns what every plan costs at least and
    what the best one found costs (infinity: none was found), prices included; the variables of that
    plan go into `plan`, those of the linear relaxation into `relaxed`. Without `nodes`, that is all.
    """
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    n, capacity, entries = variables(p, s), most_rows(p, s), most_entries(p, s)
    ready = first_ready_row(p, s)
    first, column, value = np.empty(capacity + 1, np.int64), np.empty(entries, np.int64), np.empty(entries)
    rows = Rows(first, column, value, np.zeros(1, np.int64))
    cost, x, position = np.empty(n), np.empty(n), np.empty(n, np.int64)
    anyway = costs(p, s, prices, steps, cost)
    slots = max(3, min(MOST_OPEN, SLAB_BYTES // (8 * capacity * n)))
    slab = _dictionaries(slots, capacity, n)
    bounds = np.full(slots, math.inf)  # of the open nodes; infinity: the place is free
    d = _at(slab, 0)
    build(p, s, room, nodes <= 1, rows, d.lo, d.hi)
    true_lo, true_hi = d.lo.copy(), d.hi.copy()
    _root(d, cost)
    best, closed, used, improved = known - anyway, math.inf, 1, False
    bounds[0], _ = _bound(d, rows, cost, -math.inf, math.inf, x, position)
    relaxed[:n] = x
    now = 0 if nodes > 0 and bounds[0] < best - gap else -1
    while now >= 0:
        d, bound = _at(slab, now), bounds[now]
        bounds[now] = math.inf
        solution(d, x)
        branch, split = _branching(d, rows, ready, options, steps, x, position)
        if branch < 0:
            closed = min(closed, bound)
            total = _priced(p, s, rows, cost, true_lo, true_hi, x)
            if total < best:
                best, improved = total, True
                plan[:n] = x
        bounds[now] = bound
        free = _free_place(bounds)
        bounds[now] = math.inf
        if branch >= 0 and free < 0:
            closed = min(closed, bound)
        elif branch >= 0:
            _split(d, _at(slab, free), rows, branch, split, position)
            used += 2
            for k in (now, free):
                below, is_open = _bound(_at(slab, k), rows, cost, bound, best - gap, x, position)
                if is_open:
                    bounds[k] = below
                else:
                    closed = min(closed, below)
            now = now if bounds[now] < bounds[free] else free
        if math.isinf(bounds[now]):
            # Nothing below: on from the open node with the least bound.
            now = _least_open(bounds)
            if bounds[now] >= best - gap or used >= nodes:
                now = -1
    closed = min(closed, np.min(bounds))
    return min(closed, best) + anyway, best + anyway if improved else math.inf
