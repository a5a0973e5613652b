from dataclasses import replace

import numpy as np
import pytest

from barista.ports.forecaster import ForecastContext
from barista.testing.forecasters import daily_demand
from barista.values.series import Calendar, Demand
from barista_plugins.burst import BurstForecaster
from barista_plugins.double_seasonal import Rates, Smoothed
from barista_plugins.forest import Forest
from barista_plugins.lagged import AROUND, HOLIDAY, LAGS, Lagged
from barista_plugins.pending import Pending, spread_of
from barista_plugins.recent_errors import FEWEST
from barista_plugins.ridge import RidgeForecaster
from barista_plugins.robust_ridge import fit_median, fit_quantile, foretold
from barista_plugins.scales import KINDS, Scale
from barista_plugins.smoothing import SmoothingForecaster
from barista_plugins.trees import TreesForecaster

HOUR_S = 3600.0
CONTEXT = ForecastContext(steps=3)
MEMBERS = [RidgeForecaster(), TreesForecaster(trees=20), SmoothingForecaster(), BurstForecaster()]


def by_name(member):
    return member.name


def hourly(values):
    return Demand(0.0, HOUR_S, np.asarray(values, dtype=float))


@pytest.mark.parametrize("member", MEMBERS, ids=by_name)
def test_a_day_that_repeats_is_forecast_as_it_repeats(member):
    day = 10 + 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    state = member.fit(hourly(np.tile(day, 28)), CONTEXT)
    for hour in range(0, 24, 5):
        made = member.forecast(state, 3, (0.5, 0.95))
        ahead = day[(hour + np.arange(3)) % 24]
        np.testing.assert_allclose(made.quantile(0.5), ahead, rtol=0.05, atol=0.4)
        come = Demand(made.origin_s, HOUR_S, day[(hour + np.arange(5)) % 24])
        state = member.update(state, come)


@pytest.mark.parametrize("member", MEMBERS, ids=by_name)
def test_two_days_of_double_demand_lift_the_forecast(member):
    demand = daily_demand()
    state = member.fit(demand, CONTEXT)
    doubled = Demand(demand.end_s, HOUR_S, demand.values[-168:-120] * 2.0)
    made = member.forecast(member.update(state, doubled), 1, (0.5, 0.95))
    calm = member.forecast(state, 1, (0.5, 0.95))
    assert made.quantile(0.5)[0] > 1.15 * calm.quantile(0.5)[0]


@pytest.mark.parametrize("member", MEMBERS, ids=by_name)
def test_sixty_steps_are_enough_for_a_fit_that_knows_no_season_well(member):
    rising = hourly(np.linspace(5.0, 6.0, 60))
    made = member.forecast(member.fit(rising, CONTEXT), 3, (0.5,))
    np.testing.assert_allclose(made.quantile(0.5), 6.0, atol=0.6)


@pytest.mark.parametrize("member", MEMBERS, ids=by_name)
def test_a_warm_fit_without_news_forecasts_from_the_same_origin(member):
    demand = daily_demand()
    state = member.fit(demand, CONTEXT)
    again = member.fit(demand, CONTEXT, state)
    one, other = (member.forecast(s, 3, (0.5, 0.95)) for s in (state, again))
    assert one.origin_s == other.origin_s
    np.testing.assert_allclose(one.quantile(0.5), other.quantile(0.5), rtol=0.05)


def test_lagged_inputs_read_nothing_at_or_after_the_origin():
    demand = daily_demand()
    lagged = Lagged.of(len(demand), 6, HOUR_S, Calendar(), 32)
    origins, leads = np.array([lagged.first, 300, 400]), np.arange(1, 7)
    read = lagged.read(demand, origins, leads)
    for row, origin in enumerate(origins):
        changed = hourly(np.where(np.arange(len(demand)) < origin, demand.values, 1e6))
        later = Demand(demand.start_s, HOUR_S, changed.values)
        np.testing.assert_array_equal(lagged.read(later, origins[row : row + 1], leads)[0], read[row])


def test_every_lagged_input_has_a_relevance():
    for n in (60, 24 * 7, 24 * 21):
        demand = hourly(np.arange(n) % 24.0)
        lagged = Lagged.of(n, 4, HOUR_S, Calendar(), 8)
        inputs = lagged.read(demand, np.array([lagged.first]), np.array([1]))
        assert inputs.shape[2] == len(lagged.relevance)


def test_only_the_end_of_a_history_makes_a_difference_to_its_next_inputs():
    demand = daily_demand()
    lagged = Lagged.of(len(demand), 6, HOUR_S, Calendar(seasons_s=(86_400.0,)), 32)
    end = demand.last(lagged.memory)
    leads = np.arange(1, 7)
    whole = lagged.read(demand, np.array([len(demand)]), leads)
    np.testing.assert_allclose(lagged.read(end, np.array([len(end)]), leads), whole, atol=1e-9)


def test_anchors_are_the_last_value_and_those_seasons_ago_at_the_origin_and_the_target():
    values = np.arange(24.0 * 21)
    lagged = Lagged.of(len(values), 3, HOUR_S, Calendar(seasons_s=(86_400.0,)), 32)
    levels = lagged.levels(hourly(values), np.array([400]), np.array([2]))[0, 0]
    back = 24 * np.arange(1, 4)
    np.testing.assert_array_equal(levels[lagged.anchors], [399, *(399 - back), *(401 - back)])
    assert levels[len(LAGS) - 1] == 399 - LAGS[-1]
    assert {401 - 24 + k for k in AROUND} <= set(levels)


def test_the_calendar_is_read_in_local_time():
    demand = hourly(np.arange(24.0 * 21))
    away = Calendar(time_zone="America/New_York")
    lagged = Lagged.of(len(demand), 1, HOUR_S, away, 32)
    share, weekday = lagged.moments(demand, np.array([24 * 4 + 2]), np.array([1]))[0, 0]
    # 02:00 UTC on Monday 5 January 1970 is still Sunday evening in New York.
    assert (share * 24, weekday) == (pytest.approx(21), 6)


@pytest.mark.parametrize("switch", ["2024-03-31", "2024-10-27"])
def test_a_season_ago_is_the_same_local_hour_across_a_clock_change(switch):
    berlin = Calendar(time_zone="Europe/Berlin", seasons_s=(86_400.0,))
    start_s = (np.datetime64(switch) - np.timedelta64(20, "D")).astype("datetime64[s]").astype(float)
    demand = Demand(float(start_s), HOUR_S, np.zeros(24 * 21))
    local_hour = berlin.local(demand.times_s()).astype("datetime64[h]").astype(int) % 24
    demand = replace(demand, values=local_hour.astype(float))
    lagged = Lagged.of(len(demand), 2, HOUR_S, berlin, 32)
    origin, ago = 24 * 20 + 12, lagged.anchors[1 + 3 :]
    levels = lagged.levels(demand, np.array([origin]), np.array([1, 2]))[0]
    np.testing.assert_array_equal(levels[:, ago], np.repeat(local_hour[origin : origin + 2, None], 3, axis=1))


@pytest.mark.parametrize("member", MEMBERS, ids=by_name)
def test_the_day_after_a_clock_change_is_forecast_by_the_local_clock(member):
    berlin = Calendar(time_zone="Europe/Berlin")
    start_s = float(np.datetime64("2024-03-03T00:00:00").astype("datetime64[s]").astype(float))
    demand = Demand(start_s, HOUR_S, np.zeros(24 * 30))
    hour = berlin.local(demand.times_s()).astype("datetime64[h]").astype(int) % 24
    values = np.where((hour >= 8) & (hour < 18), 50.0, 5.0) + np.random.default_rng(0).normal(
        0, 0.5, len(hour)
    )
    # The clock was put forward on the 31st: on 1 April work begins at 06:00 UTC, no longer at 07:00.
    fitted, known = 24 * 27, 24 * 29 + 6
    state = member.fit(replace(demand, values=values[:fitted]), replace(CONTEXT, calendar=berlin))
    state = member.update(state, replace(demand, values=values[:known]))
    made = member.forecast(state, 3, (0.5,))
    assert min(made.quantile(0.5)) > 35


def test_a_holiday_is_a_day_of_its_own():
    demand = hourly(np.arange(24.0 * 21))
    lagged = Lagged.of(len(demand), 1, HOUR_S, Calendar(country="US"), 32)
    new_year, the_day_after = (
        lagged.moments(demand, np.array([at]), np.array([1]))[0, 0, 1] for at in (13, 37)
    )
    assert (new_year, the_day_after) == (HOLIDAY, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scale_undoes_what_it_applies_and_follows_the_unit(kind):
    demand = np.array([0.0, 0.1, 5.0, 300.0])
    scale, thousand = Scale.of(demand, kind), Scale.of(demand * 1000, kind)
    np.testing.assert_allclose(scale.undo(scale.apply(demand)), demand, atol=1e-12)
    np.testing.assert_allclose(thousand.apply(demand * 1000), scale.apply(demand))
    assert scale.undo(np.array([-1.0])) == 0.0


def test_the_rule_for_the_median_is_deaf_to_bursts():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(400, 2))
    outcomes = 2 * inputs[:, 0] - inputs[:, 1] + 5 + rng.normal(0, 0.1, 400)
    outcomes[::20] += 100
    rule = fit_median(inputs, outcomes, np.ones(2), np.array([1e-6]))
    np.testing.assert_allclose([*rule.weights[:, 0], rule.intercepts[0]], [2, -1, 5], atol=0.05)


def test_the_rule_for_a_quantile_follows_how_the_spread_grows():
    rng = np.random.default_rng(4)
    inputs = rng.uniform(1, 10, size=(4000, 1))
    outcomes = inputs[:, 0] * rng.exponential(size=4000)
    rule = fit_quantile(inputs, outcomes, np.ones(1), 1e-6, 0.95)
    assert rule.weights[0, 0] == pytest.approx(-np.log(0.05), rel=0.15)
    assert (outcomes <= rule.of(inputs)[:, 0]).mean() == pytest.approx(0.95, abs=0.01)


def test_a_burst_beyond_all_experience_lifts_the_bound_in_proportion():
    rng = np.random.default_rng(5)
    values = rng.gamma(4.0, 5.0, 24 * 28)
    for at in rng.choice(len(values) - 4, 25, replace=False):
        values[at : at + 4] += rng.pareto(1.5) * 40 * 0.6 ** np.arange(4)
    demand = hourly(values)
    state = BurstForecaster().fit(demand, CONTEXT)
    heights = []
    for factor in (10.0, 100.0):
        come = Demand(demand.end_s, HOUR_S, np.array([factor * values.max()]))
        made = BurstForecaster().forecast(BurstForecaster().update(state, come), 1, CONTEXT.levels)
        heights.append(made.quantile(0.95)[0])
    assert heights[1] > 5 * heights[0] > 5 * values.max()


def test_a_penalty_is_judged_on_rows_after_those_it_was_fitted_to():
    inputs = np.arange(80.0)[:, None]
    made = foretold(inputs, np.where(inputs[:, 0] < 40, 1.0, 9.0), np.ones(1), np.array([1e-6]))
    assert len(made) == 40
    np.testing.assert_allclose(made[:10, 0], 1.0, atol=0.01)


def test_a_forest_says_what_lightgbm_says():
    import lightgbm

    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(500, 4))
    outcomes = np.where(inputs[:, 0] > 0, inputs[:, 1] ** 2, -3.0)
    options = {"num_leaves": 7, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(inputs, outcomes), 15)
    np.testing.assert_allclose(Forest.of(booster).predict(inputs), booster.predict(inputs), atol=1e-12)


def test_a_forest_of_stumps_that_never_split_is_its_constant():
    import lightgbm

    data = lightgbm.Dataset(np.zeros((50, 1)), np.full(50, 4.0))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 3)
    np.testing.assert_allclose(Forest.of(booster).predict(np.zeros((2, 1))), 4.0)


def test_smoothing_at_once_is_smoothing_one_by_one_and_gaps_move_nothing():
    values = np.array([3.0, 5.0, np.nan, 4.0, 6.0, 3.5])
    rates = Rates(np.array([0.1, 0.5]), np.array([[0.3, 0.1]]))
    start = Smoothed.started(4.0, (2,), rates, limit=1.0)
    at_once, passed = start.followed(values, {})
    one_by_one = start
    for value in values:
        one_by_one, _ = one_by_one.followed(np.array([value]), {})
    np.testing.assert_allclose(at_once.level, one_by_one.level)
    np.testing.assert_allclose(at_once.habits[0], one_by_one.habits[0])
    np.testing.assert_array_equal(passed.levels[2], passed.levels[1])


def test_a_burst_moves_a_level_no_further_than_the_limit():
    rates = Rates(np.array([0.5]), np.empty((0, 1)))
    moved, _ = Smoothed.started(10.0, (), rates, limit=2.0).followed(np.array([1e6]), {})
    assert moved.level == pytest.approx([11.0])


def test_smoothing_looks_ahead_by_the_habit_of_each_coming_step():
    rates = Rates(np.array([0.0]), np.array([[0.0]]))
    start = Smoothed.started(0.0, (3,), rates, limit=100.0)
    _, passed = start.followed(np.tile([1.0, 2.0, 3.0], 200), {})
    ahead = [passed.ahead(lead)[-1, 0] for lead in (1, 2, 3, 4)]
    np.testing.assert_allclose(ahead, [1, 2, 3, 1], atol=0.05)


def test_pending_estimates_become_errors_lead_by_lead_as_their_outcomes_come():
    made = np.array([[[10.0], [20.0]], [[11.0], [21.0]]])
    pending = Pending(made, np.empty((0, 2, 1)))
    later = pending.followed(np.array([12.0, np.nan]), np.array([[[13.0], [23.0]], [[14.0], [24.0]]]))
    np.testing.assert_array_equal(later.errors[0, :, 0], [12 - 11, 12 - 20])
    assert np.isnan(later.errors[1]).all()
    np.testing.assert_array_equal(later.made[-1, :, 0], [14, 24])


def test_quantiles_of_errors_are_numpys_and_none_for_too_few():
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(60, 2))
    errors[rng.random((60, 2)) < 0.2] = np.nan
    levels = (0.05, 0.5, 0.95)
    np.testing.assert_allclose(spread_of(errors, levels), np.nanquantile(errors, levels, axis=0).T)
    assert not spread_of(errors[: FEWEST - 1], levels).any()
    assert not spread_of(np.empty((0, 2)), levels).any()
