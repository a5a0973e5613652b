"""Histories: counts become arrivals and stay counts; an export goes on where it stopped."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.load.arrivals import counted_arrivals, counts_at
from barista.load.history import NoHistory, departures_history, exported
from barista.values.series import DAY_S, Demand

FIRST = date(2026, 3, 1)
FIRST_S = 1_772_323_200.0


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_as_many_requests_come_in_each_step_as_were_counted(counts, seed):
    arrivals = counted_arrivals(Demand(1000.0, 60.0, np.array(counts) / 60), seed)
    edges = 1000.0 + 60.0 * np.arange(len(counts) + 1)
    assert np.histogram(arrivals, edges)[0].tolist() == counts
    assert (np.diff(arrivals) >= 0).all()


def test_in_a_gap_nothing_comes_and_it_stays_a_gap():
    demand = Demand(0.0, 60.0, np.array([1.0, np.nan, 2.0]))
    assert len(counted_arrivals(demand, 0)) == 180
    scaled = counts_at(demand, 3.0, 0)
    assert np.isnan(scaled.values).tolist() == [False, True, False]
    assert counts_at(demand, 1.0, 0) is demand


def test_a_factor_draws_whole_requests_with_that_mean():
    scaled = counts_at(Demand(0.0, 60.0, np.full(2000, 1.5)), 4.0, 0)
    assert np.allclose(scaled.values * 60, np.round(scaled.values * 60))
    assert scaled.values.mean() == pytest.approx(6, rel=0.01)


def test_departures_are_counted_by_whole_minutes():
    assert len(departures_history(date(2013, 6, 3), 2, 300.0)) == 2 * 288
    with pytest.raises(NoHistory, match="multiple of 60"):
        departures_history(date(2013, 6, 3), 2, 90.0)


def test_an_export_that_was_interrupted_does_not_ask_again_for_what_it_has(tmp_path):
    asked = []

    def ask(start_s, end_s, fail_at=None):
        day = round((start_s - FIRST_S) / DAY_S)
        if day == fail_at:
            raise ConnectionError
        asked.append(day)
        return Demand(start_s, 3600.0, np.full(24, float(day)))

    with pytest.raises(ConnectionError):
        exported(lambda a, b: ask(a, b, fail_at=2), FIRST, 4, 3600.0, tmp_path, iter)
    demand = exported(ask, FIRST, 4, 3600.0, tmp_path, iter)
    assert asked == [0, 1, 2, 3]
    assert demand.start_s == FIRST_S
    assert demand.values.tolist() == [0.0] * 24 + [1.0] * 24 + [2.0] * 24 + [3.0] * 24


def test_an_export_begins_where_something_was_recorded_and_says_if_nothing_was(tmp_path):
    def ask(start_s, end_s):
        return Demand(start_s + 7200, 3600.0, np.ones(22)) if start_s > FIRST_S else None

    assert exported(ask, FIRST, 2, 3600.0, tmp_path / "a", iter).start_s == FIRST_S + DAY_S + 7200
    with pytest.raises(NoHistory, match="nothing was recorded on 2 days"):
        exported(lambda a, b: None, FIRST, 2, 3600.0, tmp_path / "b", iter)
