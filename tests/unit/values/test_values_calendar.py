"""The calendar: holidays, events and local time, and that a wrong events file is one clear line."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from barista.forecast.effects import with_effects, without_effects
from barista.values.events import Event, WrongEvents, read_events
from barista.values.forecast import Forecast
from barista.values.holidays import UnknownCountry, holidays_of
from barista.values.series import DAY_S, Calendar, Demand

BERLIN = Calendar("Europe/Berlin", country="DE")
HEADER = "start,end,name,effect"
SALE = Event(datetime(2024, 11, 29, 8), datetime(2024, 11, 29, 20), "sale", 2.0)


def at(*texts: str) -> np.ndarray:
    """Moments given in UTC, as seconds."""
    return np.array([np.datetime64(text).astype("datetime64[s]").astype(float) for text in texts])


def test_a_holiday_is_the_local_day_and_has_a_day_before_and_a_day_after() -> None:
    # Unity Day is the third of October; in Berlin it begins at 22:00 UTC of the second.
    moments = at("2024-10-01T21:30", "2024-10-02T21:30", "2024-10-02T22:30", "2024-10-03T22:30")
    assert BERLIN.is_holiday(moments).tolist() == [False, False, True, False]
    assert BERLIN.is_holiday(moments, days_later=1).tolist() == [False, True, False, False]
    assert BERLIN.is_holiday(moments, days_later=-1).tolist() == [False, False, False, True]


def test_parts_of_a_country_have_holidays_of_their_own() -> None:
    womens_day = at("2024-03-08T12:00")
    assert not BERLIN.is_holiday(womens_day).any()
    assert replace(BERLIN, country="DE-BE").is_holiday(womens_day).all()
    assert date(2024, 3, 8) in holidays_of("DE-BE", 2024)


def test_without_a_country_no_day_is_a_holiday() -> None:
    assert not Calendar().is_holiday(at("2024-12-25", "2024-01-01")).any()


@pytest.mark.parametrize("country", ["XX", "DE-ZZ", "Germany!"])
def test_an_unknown_country_is_said(country: str) -> None:
    with pytest.raises(UnknownCountry, match=f"'{country}': no holidays on record; need an ISO code like DE"):
        holidays_of(country, 2024)


def test_a_replayed_calendar_has_the_holidays_of_the_day_it_plays() -> None:
    (christmas,) = at("2013-12-25T00:00")
    calendar = Calendar(rate=360, clock_s=1000, calendar_s=christmas, country="US")
    day = DAY_S / 360
    assert calendar.is_holiday(1000 + np.array([-1, 0, day - 1, day])).tolist() == [False, True, True, False]


def test_events_are_read_by_the_local_clock_from_start_until_before_end() -> None:
    calendar = replace(BERLIN, events=(SALE,))
    moments = at("2024-11-29T06:59", "2024-11-29T07:00", "2024-11-29T18:59", "2024-11-29T19:00")
    assert calendar.stated_effects(moments).tolist() == [1, 2, 2, 1]
    assert calendar.in_events(moments) == {}


def test_effects_of_events_at_one_time_multiply_and_events_without_one_are_features_by_name() -> None:
    evening = Event(datetime(2024, 11, 29, 18), datetime(2024, 11, 29, 22), "live", 1.5)
    fair = replace(evening, name="fair", effect=None)
    other = Event(datetime(2024, 11, 30), datetime(2024, 12, 1), "fair")
    calendar = Calendar(events=(SALE, evening, fair, other))
    moments = at("2024-11-29T17:00", "2024-11-29T19:00", "2024-11-29T21:00", "2024-11-30T12:00")
    assert calendar.stated_effects(moments).tolist() == [2, 3, 1.5, 1]
    named = calendar.in_events(moments)
    assert {name: inside.tolist() for name, inside in named.items()} == {"fair": [False, True, True, True]}


@given(effect=st.floats(0.01, 100), rate=st.floats(0, 1e6), offset=st.integers(-20, 20))
def test_what_is_taken_out_of_demand_is_put_back_on_the_same_steps(
    effect: float, rate: float, offset: int
) -> None:
    (start_s,) = at("2024-11-29T07:00") + offset * 3600
    calendar = Calendar(events=(replace(SALE, effect=effect),))
    demand = Demand(start_s, 3600.0, np.full(24, rate))
    plain = without_effects(demand, calendar)
    row = tuple(plain.values.tolist())
    again = with_effects(Forecast(start_s, 3600.0, row, (0.5, 0.9), (row, row), "x"), calendar)
    assert again.mean == pytest.approx(demand.values.tolist())
    assert again.quantiles[1] == again.mean
    assert again.fault() is None


def test_without_stated_effects_nothing_is_touched() -> None:
    demand = Demand(0.0, 10.0, np.ones(3))
    assert without_effects(demand, Calendar(events=(replace(SALE, effect=None),))) is demand


def test_an_events_file_is_read_in_order_with_or_without_effects() -> None:
    lines = [HEADER, "2024-11-29 08:00,2024-11-29T20:00,sale,2", '2024-12-24,2024-12-26,"eve, day", ']
    assert read_events(lines, "events.csv") == (
        SALE,
        Event(datetime(2024, 12, 24), datetime(2024, 12, 26), "eve, day", None),
    )
    assert read_events(["start,end,name", "2024-12-24,2024-12-26,x"], "f")[0].effect is None
    assert read_events([HEADER], "f") == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tomorrow,2024-12-26,x,2", "events.csv:2: time 'tomorrow': need e.g. 2024-11-29 08:00"),
        ("2024-12-26,2024-12-26,x,2", "events.csv:2: event 'x': end 2024-12-26 00:00:00 is not after start"),
        ("2024-12-24T08:00+01:00,2024-12-26,x,", "events.csv:2: event 'x': need local times"),
        ("2024-12-24,2024-12-26,x,double", "events.csv:2: effect 'double': not a number"),
        ("2024-12-24,2024-12-26,x,0", "events.csv:2: event 'x': effect 0: need a factor above 0, e.g. 1.5"),
        ("2024-12-24,2024-12-26,x,nan", "events.csv:2: event 'x': effect nan: need a factor"),
        ("2024-12-24,2024-12-26,,2", "events.csv:2: no name: need start,end,name,effect"),
        ("2024-12-24,2024-12-26", "events.csv:2: need start,end,name,effect"),
        ("2024-12-24,2024-12-26,x,2,3", "events.csv:2: need start,end,name,effect"),
        ('2024-12-24,2024-12-26,"x', "events.csv:2: not CSV in UTF-8"),
    ],
)
def test_a_wrong_line_is_named_with_its_mend(line: str, message: str) -> None:
    with pytest.raises(WrongEvents) as caught:
        read_events([HEADER, line], "events.csv")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", [[], ["name,start"], ["start;end;name;effect"]])
def test_a_file_without_the_columns_is_no_events_file(lines: list[str]) -> None:
    with pytest.raises(WrongEvents, match=r"events\.csv:1: columns .*: need start,end,name,effect"):
        read_events(lines, "events.csv")


def test_an_event_has_local_times_only() -> None:
    zoned = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ValueError, match="need local times"):
        Event(zoned, zoned + timedelta(hours=1), "x")


def test_a_calendar_survives_being_handed_to_another_process_as_json() -> None:
    calendar = replace(BERLIN, events=(SALE, replace(SALE, effect=None)))
    stored = TypeAdapter(Calendar)
    assert stored.validate_json(stored.dump_json(calendar)) == calendar
