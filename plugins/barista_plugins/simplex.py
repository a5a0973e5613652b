"""The dual simplex method on a small dictionary, compiled: the engine under `search`.

A program min c·x over rows lo <= A x <= hi and bounded x is kept as a dictionary: every variable, and
every row's activity (its *logical*), is either nonbasic, at one of its bounds, or basic and a combination
of the nonbasic ones, x_B = table · x_N. All variables have finite bounds, so with each at the one that its
cost asks for the dictionary is dual feasible from the start, stays so when bounds change (branching) and rows
come (cuts), and there is no first phase. Rows enter only when they are violated, so the table stays small.

Variables are numbered, first the n of x, then the logicals: row i is number n + i. See Koberstein, "The dual
simplex method, techniques for a fast and stable implementation" (2005).
"""

import math
from typing import Any, NamedTuple

from barista_plugins.compiled import compiled

FEASIBLE = 1e-7
LEAST_PIVOT = 1e-7
DUAL_TOLERANCE = 1e-11
MOST_PIVOTS = 2000

OPTIMAL, INFEASIBLE, ABOVE = 0, 1, 2
"""How a solve ended; ABOVE: not finished, the objective passed the cutoff (or too many pivots)."""


class Dictionary(NamedTuple):
    """A dictionary of up to `table.shape[0]` rows over n nonbasic variables; plain arrays, changed in place.

    `table` (rows, n); `basic` (rows) and `nonbasic` (n) are numbers of variables; `at_upper` (n); `reduced`
    (n) costs; `value` (rows) of the basic ones; `lo`, `hi` by number; `slot` by row of the program: where it
    stands, -1: it is not in; `size` (1): rows in use; `objective` (1).
    """

    table: Any
    basic: Any
    nonbasic: Any
    at_upper: Any
    reduced: Any
    value: Any
    lo: Any
    hi: Any
    slot: Any
    size: Any
    objective: Any


class Rows(NamedTuple):
    """The rows of a program, sparse: row i has `value[first[i]:first[i+1]]` at `column[…]`; `count` (1)."""

    first: Any
    column: Any
    value: Any
    count: Any


@compiled
def refresh(d: Dictionary) -> None:
    """Values of the basic variables and the objective, from the nonbasic ones."""
    n = d.nonbasic.shape[0]
    d.objective[0] = 0.0
    for i in range(d.size[0]):
        d.value[i] = 0.0
    for j in range(n):
        number = d.nonbasic[j]
        x = d.hi[number] if d.at_upper[j] else d.lo[number]
        if x != 0.0:
            d.objective[0] += d.reduced[j] * x
            for i in range(d.size[0]):
                d.value[i] += d.table[i, j] * x


@compiled
def solution(d: Dictionary, x: Any) -> None:
    """The values of the program's own variables, into `x` (n)."""
    n = d.nonbasic.shape[0]
    for j in range(n):
        if d.nonbasic[j] < n:
            x[d.nonbasic[j]] = d.hi[d.nonbasic[j]] if d.at_upper[j] else d.lo[d.nonbasic[j]]
    for i in range(d.size[0]):
        if d.basic[i] < n:
            x[d.basic[i]] = d.value[i]


@compiled
def add_row(d: Dictionary, rows: Rows, row: int, position: Any) -> int:
    """Let `row` in, basic; where it stands. `position` (n) is scratch."""
    n = d.nonbasic.shape[0]
    at = int(d.size[0])
    for number in range(n):
        position[number] = -1
    for i in range(at):
        if d.basic[i] < n:
            position[d.basic[i]] = i
    for j in range(n):
        d.table[at, j] = 0.0
    for k in range(rows.first[row], rows.first[row + 1]):
        i = position[rows.column[k]]
        if i >= 0:
            for j in range(n):
                d.table[at, j] += rows.value[k] * d.table[i, j]
    for j in range(n):
        position[j] = -1
    for k in range(rows.first[row], rows.first[row + 1]):
        position[rows.column[k]] = k
    for j in range(n):
        if d.nonbasic[j] < n and position[d.nonbasic[j]] >= 0:
            d.table[at, j] += rows.value[position[d.nonbasic[j]]]
    total = 0.0
    for j in range(n):
        number = d.nonbasic[j]
        total += d.table[at, j] * (d.hi[number] if d.at_upper[j] else d.lo[number])
    d.value[at] = total
    d.basic[at] = n + row
    d.slot[row] = at
    d.size[0] = at + 1
    return at


@compiled
def _leaving(d: Dictionary) -> int:
    """The row that is farthest out of its bounds, for its length; -1: none is."""
    best, chosen = 0.0, -1
    for i in range(d.size[0]):
        number = d.basic[i]
        out = max(d.lo[number] - d.value[i], d.value[i] - d.hi[number])
        if out > FEASIBLE:
            norm = 1.0
            for j in range(d.nonbasic.shape[0]):
                norm += d.table[i, j] * d.table[i, j]
            if out * out > best * norm:
                best, chosen = out * out / norm, i
    return chosen


@compiled
def entering(d: Dictionary, row: int, sign: float) -> tuple[int, float]:
    """The nonbasic variable that gives way as the basic one of `row` moves by `sign`, and its price.

    The price is what the objective rises by for each unit that the basic variable moves; -1: none gives way.
    """
    least, steepest, chosen = math.inf, 0.0, -1
    for j in range(d.nonbasic.shape[0]):
        a = sign * d.table[row, j]
        if d.at_upper[j]:
            a = -a
        if a > LEAST_PIVOT and d.hi[d.nonbasic[j]] > d.lo[d.nonbasic[j]]:
            ratio = abs(d.reduced[j]) / a
            if ratio < least - DUAL_TOLERANCE or (ratio <= least + DUAL_TOLERANCE and a > steepest):
                least, steepest, chosen = min(least, ratio), a, j
    return chosen, least


@compiled
def _pivot(d: Dictionary, row: int, column: int, above: bool) -> None:
    """Exchange: the basic variable of `row` goes to its bound, the nonbasic one of `column` becomes basic."""
    n = d.nonbasic.shape[0]
    leaving, coming = d.basic[row], d.nonbasic[column]
    pivot = d.table[row, column]
    bound = d.hi[leaving] if above else d.lo[leaving]
    move = (bound - d.value[row]) / pivot
    rate = d.reduced[column] / pivot
    d.objective[0] += rate * (bound - d.value[row])
    for i in range(d.size[0]):
        d.value[i] += d.table[i, column] * move
    d.value[row] = (d.hi[coming] if d.at_upper[column] else d.lo[coming]) + move
    for j in range(n):
        d.reduced[j] -= rate * d.table[row, j]
    d.reduced[column] = rate
    for j in range(n):
        d.table[row, j] = -d.table[row, j] / pivot
    d.table[row, column] = 1.0 / pivot
    for i in range(d.size[0]):
        a = d.table[i, column]
        if i != row and a != 0.0:
            d.table[i, column] = 0.0
            for j in range(n):
                d.table[i, j] += a * d.table[row, j]
    d.basic[row], d.nonbasic[column] = coming, leaving
    d.at_upper[column] = above


@compiled
def reoptimize(d: Dictionary, cutoff: float) -> int:
    """Solve by dual pivots from where the dictionary stands, until above `cutoff`."""
    for _ in range(MOST_PIVOTS):
        row = _leaving(d)
        if row < 0:
            return OPTIMAL
        above = d.value[row] > d.hi[d.basic[row]]
        column, _price = entering(d, row, -1.0 if above else 1.0)
        if column < 0:
            return INFEASIBLE
        _pivot(d, row, column, above)
        if d.objective[0] >= cutoff:
            return ABOVE
    return ABOVE


@compiled
def solve(d: Dictionary, rows: Rows, cutoff: float, x: Any, position: Any) -> int:
    """Solve, letting in every row that the solution violates until none is; the solution goes into `x`."""
    n = d.nonbasic.shape[0]
    while True:
        status = reoptimize(d, cutoff)
        if status != OPTIMAL:
            return status
        solution(d, x)
        came = False
        for row in range(rows.count[0]):
            if d.slot[row] >= 0:
                continue
            total = 0.0
            for k in range(rows.first[row], rows.first[row + 1]):
                total += rows.value[k] * x[rows.column[k]]
            if total < d.lo[n + row] - 10 * FEASIBLE or total > d.hi[n + row] + 10 * FEASIBLE:
                add_row(d, rows, row, position)
                came = True
        if not came:
            return OPTIMAL


@compiled
def proven_bound(d: Dictionary, rows: Rows, cost: Any, scratch: Any) -> float:
    """What the program costs at least, by its rows' prices and the original numbers, whatever was rounded.

    For any prices p of the rows, c·x = p·(A x) + (c - p A)·x, and bounds bound both terms
    (Neumaier and Shcherbina, "Safe bounds in linear and mixed-integer programming", 2004).
    """
    n = d.nonbasic.shape[0]
    bound = 0.0
    for j in range(n):
        scratch[j] = cost[j]
    for j in range(n):
        row = d.nonbasic[j] - n
        if row < 0:
            continue
        price = d.reduced[j]
        side = d.lo[n + row] if price > 0 else d.hi[n + row]
        if price == 0.0 or math.isinf(side):
            continue
        bound += price * side
        for k in range(rows.first[row], rows.first[row + 1]):
            scratch[rows.column[k]] -= price * rows.value[k]
    for j in range(n):
        bound += scratch[j] * (d.lo[j] if scratch[j] > 0 else d.hi[j])
    return bound
