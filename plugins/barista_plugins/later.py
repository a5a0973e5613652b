"""A service's plan and what is proven of it, one step later, compiled: what `carried` moves on.

Let a plan be carried out for a step, after which the problem is the same but for what has passed and for
the new last step. Then

- the plan goes on as it was, with nothing started or stopped at the last step;
- what every plan costs from now on is at least what was proven of every plan, less what the step carried
  out cost, more the least that the last step costs by itself: with the step before it, any plan
  from now on is a plan of the problem as it was. Where less demand is left than there was, it may cost
  less by as much as the rest would have cost unserved.
"""

import math
from typing import Any

import numpy as np

from barista_plugins.compiled import compiled, compiled_entry
from barista_plugins.packed import Packed
from barista_plugins.service_variables import paid, usage

SAME = 1e-9


@compiled
def _gone(p: Packed, s: int, x: Any, f: int, t: int) -> float:
    """How many of option `f` leave at step `t` by the plan `x`; below 0: come, resized."""
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    o, h = p.first[s] + f, (options + f) * steps + t
    gone = p.freed[o, t] - x[h]
    if t > 0:
        gone += x[h - 1]
    if t >= p.hold[o]:
        gone += x[f * steps + t - p.hold[o]]
    return float(gone)


@compiled
def _step_cost(p: Packed, s: int, x: Any, t: int, prices: Any) -> float:
    """What step `t` of plan `x` costs, at prices (R) of the room; infinity where too many or few are held."""
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    cost, held, left = 0.0, 0.0, p.demand[s, t]
    for f in range(options):
        o = p.first[s] + f
        price = p.step_cost[o]
        for r in range(prices.shape[0]):
            price += prices[r] * p.takes[o, r]
        count = paid(p, s, x, f, t)
        held += count
        cost += price * count
        ready = p.stuck_ready[o, t] + x[(options + f) * steps + t]
        for b in range(max(0, t - p.hold[o] + 1), t - p.setup[o] + 1):
            ready += x[f * steps + b]
        left -= p.rps[o] * ready
        cost += p.switching[s] * (x[f * steps + t] + max(0.0, _gone(p, s, x, f, t)))
    if held > p.maximum[s] or (t >= p.binds_from[s] and held < p.minimum[s]):
        return math.inf
    for k in range(p.part[s], p.part[s + 1]):
        mine = max(0.0, left)
        if k + 1 < p.part[s + 1]:
            mine = min(mine, p.share[k] * p.demand[s, t])
        cost += p.lost[s] * p.factor[k] * mine
        left -= mine
    return float(cost)


@compiled
def _go_on(old: Packed, s: int, x: Any, new: Packed, now: int, origin: Any, out: Any) -> None:
    """Into `out`: plan `x` of service `s` of `old`, as a plan of `now` of `new`, a step later."""
    steps, options = new.demand.shape[1], new.first[now + 1] - new.first[now]
    came = np.zeros(options)
    out[:] = 0.0
    for f in range(options):
        o, was = new.first[now] + f, origin[new.first[now] + f]
        for t in range(steps - 1):
            if was >= 0 and (t + new.setup[o] < steps or new.minimum[now] > 0):
                out[f * steps + t] = min(x[was * steps + t + 1], new.most[o])
    for t in range(steps):
        came[:] = 0.0
        for turn in range(2):  # what leaves a flavor first, then what its family takes over
            for f in range(options):
                o, was = new.first[now] + f, origin[new.first[now] + f]
                h = (options + f) * steps + t
                gone = _gone(old, s, x, was, t + 1) if was >= 0 and t + 1 < steps else 0.0
                if turn == 0:
                    held = out[h - 1] if t > 0 else 0.0
                    held += new.freed[o, t]
                    if t >= new.hold[o]:
                        held += out[f * steps + t - new.hold[o]]
                    left = min(held, max(0.0, gone))
                    out[h] = held - left
                    came[new.family[o]] += left
                elif gone < 0:
                    taken = min(-gone, came[new.family[o]])
                    out[h] += taken
                    came[new.family[o]] -= taken


@compiled
def _follows(old: Packed, s: int, x: Any, new: Packed, now: int, origin: Any) -> bool:
    """Whether `now` of `new` is `s` of `old` once the first step of `x` is carried out, but for demand."""
    steps = new.demand.shape[1]
    same = (
        abs(old.lost[s] - new.lost[now]) <= SAME * old.lost[s]
        and old.switching[s] == new.switching[now]
        and old.minimum[s] == new.minimum[now]
        and old.maximum[s] == new.maximum[now]
        and new.binds_from[now] <= max(0, old.binds_from[s] - 1)
        and old.part[s + 1] - old.part[s] == new.part[now + 1] - new.part[now]
    )
    if not same:
        return False
    for k in range(old.part[s + 1] - old.part[s]):
        a, b = old.part[s] + k, new.part[now] + k
        if old.share[a] != new.share[b] or old.factor[a] != new.factor[b]:
            return False
    for o in range(new.first[now], new.first[now + 1]):
        if origin[o] < 0:
            return False
        was = old.first[s] + origin[o]
        same = (
            old.rps[was] == new.rps[o]
            and old.setup[was] == new.setup[o]
            and old.hold[was] == new.hold[o]
            and old.step_cost[was] == new.step_cost[o]
            and origin[new.first[now] + new.family[o]] == old.family[was]
            and (old.takes[was] == new.takes[o]).all()
        )
        for t in range(steps - 1):
            stuck, ready, freed = _left(old, s, x, origin[o], t + 1)
            same = same and new.stuck[o, t] == stuck
            same = same and new.stuck_ready[o, t] == ready and new.freed[o, t] == freed
        if not same:
            return False
    for f in range(old.first[s + 1] - old.first[s]):
        if not (origin[new.first[now] : new.first[now + 1]] == f).any() and _are_left(old, s, x, f):
            return False
    return True


@compiled
def _are_left(p: Packed, s: int, x: Any, f: int) -> bool:
    """Whether there are replicas of option `f` after the first step of plan `x`."""
    for t in range(1, p.demand.shape[1]):
        stuck, _ready, freed = _left(p, s, x, f, t)
        if stuck + freed > 0:
            return True
    return False


@compiled
def _left(p: Packed, s: int, x: Any, f: int, t: int) -> tuple[float, float, float]:
    """Replicas stuck, those of them ready, and freed at step `t`, after the first step of plan `x`."""
    steps, options = p.demand.shape[1], p.first[s + 1] - p.first[s]
    o = p.first[s] + f
    new = x[f * steps]
    stuck, ready, freed = p.stuck[o, t], p.stuck_ready[o, t], p.freed[o, t]
    if t < p.hold[o]:
        stuck += new
        if t >= p.setup[o]:
            ready += new
    elif t == p.hold[o]:
        freed += new
    if t == 1:
        freed += x[(options + f) * steps]
    return stuck, ready, freed


@compiled_entry
def plans_later(
    old: Packed,
    services: Any,
    plans: Any,
    new: Packed,
    now: Any,
    origin: Any,
    out: Any,
    held: Any,
    cost: Any,
) -> None:
    """A step later: `plans` (n, variables) of the `services` (n) of `old`, into `out`.

    What they hold of the pools goes into `held` (n, R, T), and what they cost into `cost` (n): infinity where
    too many or too few are held. `now` (n) are the services' numbers in `new`; `origin` tells each option's
    number in its service of `old`, -1: none.
    """
    free = np.zeros(new.takes.shape[1])
    for i in range(services.shape[0]):
        _go_on(old, services[i], plans[i], new, now[i], origin, out[i])
        cost[i] = 0.0
        for t in range(new.demand.shape[1]):
            cost[i] += _step_cost(new, now[i], out[i], t, free)
        usage(new, now[i], out[i], held[i])


@compiled_entry
def rest_later(
    old: Packed,
    services: Any,
    plans: Any,
    new: Packed,
    now: Any,
    origin: Any,
    prices: Any,
    proven: Any,
) -> None:
    """Turn what was `proven` (n) of `services` into what all steps of `new` but the last cost at least.

    `plans` were carried out; `prices` (R) are those of the step that passed. -infinity: nothing is proven.
    """
    for i in range(services.shape[0]):
        s, j = services[i], now[i]
        if not _follows(old, s, plans[i], new, j, origin):
            proven[i] = -math.inf
            continue
        less = 0.0
        for t in range(new.demand.shape[1] - 1):
            less += max(0.0, old.demand[s, t + 1] - new.demand[j, t])
        less *= old.lost[s] * old.factor[old.part[s + 1] - 1]
        proven[i] -= less + _step_cost(old, s, plans[i], 0, prices)
