"""Arrival times as a chance realisation of a rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.load.arrivals import poisson_arrivals
from barista.values.series import Demand


def rates(*values: float, start_s: float = 1000.0, step_s: float = 10.0) -> Demand:
    return Demand(start_s, step_s, np.array(values))


@given(st.lists(st.floats(0, 50), max_size=20), st.integers(0, 2**32))
def test_arrivals_ascend_and_lie_within_the_demand(values, seed):
    demand = rates(*values)
    times = poisson_arrivals(demand, seed)
    assert np.all(np.diff(times) >= 0)
    assert np.all((times >= demand.start_s) & (times <= demand.end_s))


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others():
    demand = rates(5, 10, 5)
    one, same, other = (poisson_arrivals(demand, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(one) != len(other) or not np.array_equal(one, other)


def test_each_step_has_its_own_rate():
    demand = rates(100, 0, 400, step_s=100)
    counts = np.histogram(poisson_arrivals(demand, 3), bins=[1000, 1100, 1200, 1300])[0]
    expected = np.array([10_000, 0, 40_000])
    # Five standard deviations of a Poisson count.
    assert np.all(np.abs(counts - expected) <= 5 * np.sqrt(expected))


def test_times_between_arrivals_are_exponential():
    gaps = np.diff(poisson_arrivals(rates(100, step_s=200), 4))
    # Mean and standard deviation agree (both 1 / rate); 20,000 gaps: about 0.7 % standard error.
    assert gaps.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_rate_that_is_none_is_refused_with_its_step(wrong):
    with pytest.raises(ValueError, match="in step 1: need a number of at least 0"):
        poisson_arrivals(rates(1, wrong), 1)
