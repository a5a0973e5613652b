import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from barista_plugins.compiled import compiled_entry
from barista_plugins.search import _at, _dictionaries, _root
from barista_plugins.simplex import INFEASIBLE, OPTIMAL, Rows, proven_bound, refresh, solve


@compiled_entry
def _solved(
    first: Any, column: Any, value: Any, cost: Any, lo: Any, hi: Any, branch: int, cap: float, x: Any
) -> tuple[int, float, int, float]:
    """Solve the program, then again with number `branch` at most `cap`: status and proven bound of both."""
    n, m = cost.shape[0], first.shape[0] - 1
    rows = Rows(first, column, value, np.full(1, m))
    d = _at(_dictionaries(1, m, n), 0)
    d.lo[:] = lo
    d.hi[:] = hi
    position, scratch = np.empty(n, np.int64), np.empty(n)
    _root(d, cost)
    status = solve(d, rows, math.inf, x, position)
    bound = proven_bound(d, rows, cost, scratch)
    if status != OPTIMAL:
        return status, bound, status, bound
    d.hi[branch] = min(d.hi[branch], cap)
    refresh(d)
    again = solve(d, rows, math.inf, x, position)
    return status, bound, again, proven_bound(d, rows, cost, scratch)


small = st.integers(-4, 4)


@st.composite
def programs(draw: st.DrawFn) -> tuple[Any, Any, Any, Any]:
    """Costs (n), rows (m, n), and bounds by number (n + m): a row's sides may be infinite, or the same."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cost = np.array(draw(st.lists(small, min_size=n, max_size=n)), np.float64)
    a = np.array(draw(st.lists(st.lists(small, min_size=n, max_size=n), min_size=m, max_size=m)), np.float64)
    below = [draw(st.integers(-3, 3)) for _ in range(n)]
    lo = below + [draw(st.sampled_from([-math.inf, -6, 0, 2])) for _ in range(m)]
    width = st.integers(0, 5)
    hi = [low + draw(width) for low in below]
    hi += [max(low, -6) + draw(width) if draw(st.booleans()) else math.inf for low in lo[n:]]
    return cost, a, np.array(lo, np.float64), np.array(hi, np.float64)


def by_scipy(cost: Any, a: Any, lo: Any, hi: Any) -> float:
    """The least cost; infinity where there is no solution."""
    n = len(cost)
    upper, lower = np.isfinite(hi[n:]), np.isfinite(lo[n:])
    sides = np.concatenate([hi[n:][upper], -lo[n:][lower]])
    bounds = list(zip(lo[:n], hi[:n], strict=True))
    found = linprog(cost, np.concatenate([a[upper], -a[lower]]), sides, bounds=bounds, method="highs")
    assert found.status in (0, 2), found.message
    return math.inf if found.status == 2 else float(found.fun)


def agrees(status: int, bound: float, least: float) -> None:
    assert status == (INFEASIBLE if math.isinf(least) else OPTIMAL)
    if status == OPTIMAL:
        assert math.isclose(bound, least, rel_tol=1e-6, abs_tol=1e-5)
        assert bound <= least + 1e-6


@settings(max_examples=300, deadline=None, derandomize=True)
@given(programs(), st.integers(0, 4), small)
def test_it_finds_what_scipy_finds_at_first_and_again_from_there(
    program: tuple[Any, Any, Any, Any], number: int, cap: int
) -> None:
    cost, a, lo, hi = program
    n, branch = len(cost), number % len(cost)
    at = np.nonzero(a)
    first = np.searchsorted(at[0], np.arange(len(a) + 1)).astype(np.int64)
    cap = max(cap, int(lo[branch]))
    status, bound, again, later = _solved(
        first, at[1].astype(np.int64), a[at], cost, lo, hi, branch, float(cap), np.empty(n)
    )
    agrees(status, bound, by_scipy(cost, a, lo, hi))
    if status == OPTIMAL:
        hi = hi.copy()
        hi[branch] = min(hi[branch], cap)
        agrees(again, later, by_scipy(cost, a, lo, hi))
