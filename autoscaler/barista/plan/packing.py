"""Packing: how many replicas find room at most, fractions allowed. A linear program for `blame`.

It is solved here, by the simplex method on a dense tableau, so that what is said of a planner that finds
nothing rests on no planner's solver. Doing nothing is a feasible start, so one phase is enough, and
replicas of services that list the same flavors are one column each, so the tableau is small.
"""

import numpy as np
import numpy.typing as npt

from barista.plan.counts import Amounts

TOLERANCE = 1e-9


def pack(wanted: Amounts, kinds: npt.NDArray[np.bool_], takes: Amounts, room: Amounts) -> float:
    """The most replicas, of all kinds together, that fit into the `room` (R) there is of each resource.

    Of each kind (K) at most `wanted` (K) are of use, on any of the flavors (F) that `kinds` (K, F) allows;
    one on a flavor takes `takes` (F, R).
    """
    kind, flavor = np.nonzero(kinds & (wanted > 0)[:, None])
    of_kind = (kind == np.flatnonzero(wanted > 0)[:, None]).astype(float)
    return _maximum(np.vstack([of_kind, takes[flavor].T]), np.concatenate([wanted[wanted > 0], room]))


def _maximum(rows: Amounts, limits: Amounts) -> float:
    """The largest sum of x >= 0 with ``rows @ x <= limits``, where no limit is below 0 and none is missing.

    Bland's rule (the first column that improves, the first row among the tightest) cannot cycle.
    """
    many, columns = rows.shape
    scale = np.maximum(rows.max(axis=1, initial=0.0), TOLERANCE)
    tableau = np.zeros((many + 1, columns + 1))
    tableau[:many, :columns], tableau[:many, -1] = rows / scale[:, None], limits / scale
    tableau[-1, :columns] = -1.0
    basic, free = np.arange(columns, columns + many), np.arange(columns)
    while (improving := np.flatnonzero(tableau[-1, :-1] < -TOLERANCE)).size:
        column = improving[np.argmin(free[improving])]
        candidates = np.flatnonzero(tableau[:-1, column] > TOLERANCE)
        ratios = tableau[candidates, -1] / tableau[candidates, column]
        tightest = candidates[ratios <= ratios.min() + TOLERANCE]
        row = tightest[np.argmin(basic[tightest])]
        _pivot(tableau, row, column)
        basic[row], free[column] = free[column], basic[row]
    return float(tableau[-1, -1])


def _pivot(tableau: Amounts, row: int, column: int) -> None:
    """Exchange the basic variable of `row` with the free one of `column`, in place."""
    by = tableau[row, column]
    factors = tableau[:, column] / by
    pivot_row = tableau[row] / by
    tableau -= np.outer(factors, tableau[row])
    tableau[row] = pivot_row
    tableau[:, column] = -factors
    tableau[row, column] = 1.0 / by
