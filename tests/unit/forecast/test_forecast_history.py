import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.forecast.history import after, joined, on_grid, unseen_until
from barista.values.series import Demand


def demand(start_s, values, step_s=10.0):
    return Demand(start_s, step_s, np.array(values, dtype=float))


def test_a_demand_on_the_grid_keeps_its_values():
    seen = on_grid(demand(100.0, [1, np.nan, 3]), 10.0)
    assert seen.start_s == 100.0
    np.testing.assert_array_equal(seen.values, [1, np.nan, 3])


def test_a_demand_beside_the_grid_is_averaged_over_the_steps_it_covers_whole():
    seen = on_grid(demand(95.0, [2, 4, 6]), 10.0)
    assert (seen.start_s, seen.end_s) == (100.0, 120.0)
    np.testing.assert_allclose(seen.values, [3, 5])


def test_finer_steps_are_averaged_and_a_step_mostly_unseen_stays_unseen():
    seen = on_grid(demand(0.0, [1, 3, np.nan, np.nan, np.nan, 6], step_s=5.0), 15.0)
    np.testing.assert_array_equal(seen.values, [2, np.nan])


def test_less_than_a_step_is_nothing_yet():
    assert len(on_grid(demand(101.0, [1.0], step_s=8.0), 10.0)) == 0


def test_only_steps_beyond_the_end_are_news():
    grown = joined(demand(0, [1, 2]), demand(10, [9, 3, 4]))
    np.testing.assert_array_equal(grown.values, [1, 2, 3, 4])


def test_steps_in_between_are_gaps():
    grown = joined(demand(0, [1]), demand(30, [4]))
    np.testing.assert_array_equal(grown.values, [1, np.nan, np.nan, 4])


def test_steps_after_a_time_before_the_start_are_gaps():
    np.testing.assert_array_equal(after(demand(20, [3, 4]), 10.0).values, [np.nan, 3, 4])
    np.testing.assert_array_equal(after(demand(20, [3, 4]), 30.0).values, [4])
    assert len(after(demand(20, [3, 4]), 40.0)) == 0


def test_what_is_over_and_was_not_seen_is_a_gap_not_zero():
    padded = unseen_until(demand(0, [1]), 35.0)
    np.testing.assert_array_equal(padded.values, [1, np.nan, np.nan])


@given(
    start=st.floats(0, 1e6),
    step=st.sampled_from([1.0, 5.0, 7.5, 10.0]),
    n=st.integers(1, 50),
    rate=st.floats(0, 1e4),
)
def test_steady_demand_stays_what_it_is_on_any_grid(start, step, n, rate):
    seen = on_grid(Demand(start, step, np.full(n, rate)), 10.0)
    np.testing.assert_allclose(seen.values, rate, rtol=1e-6)
    assert seen.start_s % 10.0 == pytest.approx(0.0)
