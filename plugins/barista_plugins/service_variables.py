"""The variables of one service's planning program, compiled: how many, what they cost, what they hold.

In order: u by option and step, replicas started; h by option and step, those held whose least holding time is
over; z by part and step, demand that goes unserved; r by option and step, replicas resized in place, where
that costs a switch. See `service_rows` for what binds them.
"""

from typing import Any

from barista_plugins.compiled import compiled
from barista_plugins.packed import Packed


@compiled
def parts(p: Packed, s: int) -> int:
    """How many parts the unserved demand of service `s` has."""
    return int(p.part[s + 1] - p.part[s])


@compiled
def has_kin(p: Packed, s: int, f: int) -> bool:
    """Whether option `f` of service `s` changes into another one in place."""
    for o in range(p.first[s], p.first[s + 1]):
        if o != p.first[s] + f and p.family[o] == p.family[p.first[s] + f]:
            return True
    return False


@compiled
def counts_resizes(p: Packed, s: int) -> bool:
    """Whether resizes in place are variables of service `s`: only where they cost something."""
    if p.switching[s] > 0:
        for f in range(p.first[s + 1] - p.first[s]):
            if has_kin(p, s, f):
                return True
    return False


@compiled
def first_resize(p: Packed, s: int) -> int:
    """The number of the first variable of what is resized."""
    return int((2 * (p.first[s + 1] - p.first[s]) + parts(p, s)) * p.demand.shape[1])


@compiled
def variables(p: Packed, s: int) -> int:
    """How many variables the program of service `s` has."""
    resizes = (p.first[s + 1] - p.first[s]) * p.demand.shape[1] if counts_resizes(p, s) else 0
    return int(first_resize(p, s) + resizes)


@compiled
def costs(p: Packed, s: int, prices: Any, until: int, cost: Any) -> float:
    """Fill `cost` (n) of the steps before `until`, at `prices` (R, T) of the room; what is paid anyway."""
    steps, begin = p.demand.shape[1], p.first[s]
    options = p.first[s + 1] - begin
    cost[:] = 0.0
    anyway = 0.0
    for f in range(options):
        o = begin + f
        for t in range(until):
            price = p.step_cost[o]
            for r in range(prices.shape[0]):
                price += prices[r, t] * p.takes[o, r]
            for b in range(max(0, t - p.hold[o] + 1), t + 1):
                cost[f * steps + b] += price
            cost[(options + f) * steps + t] += price
            anyway += price * p.stuck[o, t]
        for t in range(until):
            # Each start costs a switch, each stop too: all that are freed, less those held to the end.
            cost[f * steps + t] += p.switching[s] * (2 if t + p.hold[o] < until else 1)
            anyway += p.switching[s] * p.freed[o, t]
        cost[(options + f) * steps + until - 1] -= p.switching[s]
        if counts_resizes(p, s):
            r = first_resize(p, s) + f * steps
            cost[r : r + until] = p.switching[s]
    for k in range(parts(p, s)):
        for t in range(until):
            cost[(2 * options + k) * steps + t] = p.lost[s] * p.factor[p.part[s] + k]
    return anyway


@compiled
def paid(p: Packed, s: int, x: Any, f: int, t: int) -> float:
    """How many replicas of option `f` of service `s` are paid at step `t`, by its variables `x`."""
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    o = p.first[s] + f
    count = p.stuck[o, t] + x[(options + f) * steps + t]
    for b in range(max(0, t - p.hold[o] + 1), t + 1):
        count += x[f * steps + b]
    return float(count)


@compiled
def usage(p: Packed, s: int, x: Any, held: Any) -> None:
    """What the replicas of service `s` hold, by its variables `x`, into `held` (R, T)."""
    held[:] = 0.0
    for f in range(p.first[s + 1] - p.first[s]):
        for t in range(p.demand.shape[1]):
            count = paid(p, s, x, f, t)
            for r in range(held.shape[0]):
                held[r, t] += p.takes[p.first[s] + f, r] * count
