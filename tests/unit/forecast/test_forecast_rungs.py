import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.forecast.rungs import FEWEST_ERRORS, LastValue, SeasonalNaive
from barista.ports.forecaster import ForecastContext
from barista.values.series import Calendar, Demand

HOUR_S = 3600.0
DAY, WEEK = 24, 168
CONTEXT = ForecastContext(steps=4)


def demand(values):
    return Demand(0.0, HOUR_S, np.array(values, dtype=float))


def said(rung, values, context=CONTEXT):
    state = rung.fit(demand(values), context)
    return rung.forecast(state, context.steps, context.levels)


def test_seasonal_naive_repeats_the_longest_season_that_is_covered():
    two_weeks = np.arange(2 * WEEK) % WEEK
    assert said(SeasonalNaive(), two_weeks).mean == (0, 1, 2, 3)
    two_days = np.arange(2 * DAY) % DAY + 5
    assert said(SeasonalNaive(), two_days).mean == (5, 6, 7, 8)


def test_a_gap_a_season_ago_is_filled_by_the_season_before_then_by_the_shorter_season():
    values = np.arange(2 * WEEK + DAY, dtype=float)
    values[WEEK + DAY] = np.nan
    assert said(SeasonalNaive(), values).mean[0] == DAY
    values[DAY] = np.nan
    assert said(SeasonalNaive(), values).mean[0] == 2 * WEEK


def test_less_than_a_season_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match=f"need {DAY + FEWEST_ERRORS} steps"):
        SeasonalNaive().fit(demand(np.ones(DAY + FEWEST_ERRORS - 1)), CONTEXT)


def test_a_season_shorter_than_the_horizon_is_never_read_from_the_future():
    calendar = Calendar(seasons_s=(2 * HOUR_S,))
    context = ForecastContext(calendar=calendar, steps=5)
    assert said(SeasonalNaive(), [1, 2] * 10, context).mean == (1, 2, 1, 2, 1)


def test_quantiles_are_those_of_the_rules_own_errors():
    rng = np.random.default_rng(0)
    values = 50 + np.tile(np.arange(DAY), 12) + rng.normal(0, 3, 12 * DAY)
    made = said(SeasonalNaive(), values)
    # A difference of two draws has a deviation of 3 * sqrt(2); its 95 % quantile lies at 1.64 of these.
    assert np.mean(np.array(made.quantile(0.95)) - made.mean) == pytest.approx(1.64 * 3 * 2**0.5, rel=0.25)


def test_last_value_repeats_what_was_seen_last_and_gets_less_sure_with_the_lead():
    walk = 100 + np.cumsum(np.random.default_rng(0).normal(0, 1, 300))
    made = said(LastValue(), [*walk, np.nan])
    assert set(made.mean) == {walk[-1]}
    widths = np.array(made.quantile(0.95)) - made.quantile(0.05)
    assert (np.diff(widths) > 0).all()


def test_one_value_is_enough_for_the_last_rung():
    assert said(LastValue(), [7]).quantiles == ((7.0,) * 4,) * 3


@pytest.mark.parametrize("rung", [SeasonalNaive(), LastValue()])
def test_a_state_stays_small_however_long_it_is_updated(rung):
    state = rung.fit(demand(np.ones(2 * WEEK)), CONTEXT)
    for _ in range(20):
        state = rung.update(state, Demand(state.demand.end_s, HOUR_S, np.ones(200)))
    assert len(state.demand) < 4 * WEEK + 200


@given(
    values=st.lists(st.one_of(st.just(math.nan), st.floats(0, 1e6)), min_size=1, max_size=200),
    rung=st.sampled_from([SeasonalNaive(), LastValue()]),
)
def test_whatever_was_seen_the_forecast_is_sound_or_refused(values, rung):
    try:
        made = said(rung, values)
    except ValueError:
        return
    assert made.fault() is None


@pytest.mark.parametrize(
    ("clock_change", "hours_back"),
    [("2024-03-31 01:00", 23), ("2024-10-27 01:00", 25)],
    ids=["summer", "winter"],
)
def test_across_a_clock_change_a_season_ago_is_the_same_hour_of_the_local_clock(clock_change, hours_back):
    change_s = np.datetime64(clock_change).astype("datetime64[s]").astype(float)
    calendar = Calendar("Europe/Berlin", seasons_s=(DAY * HOUR_S,))
    hour_of_change = 40
    start_s = change_s - hour_of_change * HOUR_S
    by_hour = np.arange(hour_of_change + 6, dtype=float)
    state = SeasonalNaive().fit(Demand(start_s, HOUR_S, by_hour), ForecastContext(calendar, steps=4))
    made = SeasonalNaive().forecast(state, 4, (0.5,))
    assert made.mean == tuple(by_hour[-1] + lead - hours_back for lead in (1, 2, 3, 4))


@given(seed=st.integers(0, 20), hours=st.integers(40, 400), lead=st.integers(1, 30))
def test_across_a_clock_change_nothing_is_read_that_is_not_known_yet(seed, hours, lead):
    change_s = np.datetime64("2024-03-31 01:00").astype("datetime64[s]").astype(float)
    context = ForecastContext(Calendar("Europe/Berlin"), steps=lead)
    values = np.random.default_rng(seed).random(hours)
    state = SeasonalNaive().fit(Demand(change_s - 30 * HOUR_S, HOUR_S, values), context)
    assert SeasonalNaive().forecast(state, lead, context.levels).fault() is None
