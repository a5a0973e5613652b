"""The division of a fixed total: as cheap as any, whatever the shape of the costs."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.plan.division import divide

COST = st.one_of(st.integers(0, 9).map(float), st.just(np.inf))


@given(st.lists(st.lists(COST, min_size=4, max_size=4), min_size=1, max_size=4), st.integers(0, 9))
def test_no_division_of_the_total_costs_less(rows: list[list[float]], total: int) -> None:
    costs = np.array(rows)
    allowed = [counts for counts in product(range(4), repeat=len(rows)) if sum(counts) <= total]
    least = min(sum(row[count] for row, count in zip(rows, counts, strict=True)) for counts in allowed)
    if least == np.inf:
        with pytest.raises(ValueError, match="no division"):
            divide(costs, total)
    else:
        counts = divide(costs, total)
        assert counts.sum() <= total
        assert costs[np.arange(len(rows)), counts].sum() == least


def test_two_replicas_go_where_only_both_together_help() -> None:
    slope, cliff = [3.0, 2.0, 1.0], [9.0, 9.0, 0.0]
    assert divide(np.array([slope, cliff]), 2).tolist() == [0, 2]


def test_what_helps_nobody_is_left_over() -> None:
    assert divide(np.array([[5.0, 1.0, 1.0], [5.0, 1.0, 1.0]]), 4).tolist() == [1, 1]


def test_a_total_below_what_all_need_is_said() -> None:
    with pytest.raises(ValueError, match="1 replicas for 2 services"):
        divide(np.array([[np.inf, 0.0], [np.inf, 0.0]]), 1)
