import numpy as np
import pytest

from barista.ports.forecaster import ForecastContext
from barista.values.series import Demand
from barista_plugins.arnet import Inputs, Network
from barista_plugins.compensated import Curve
from barista_plugins.gaps import filled, followed_by
from barista_plugins.neuralprophet import neural_prophet, season_table
from barista_plugins.recent_errors import FEWEST, errors_of, shifts

NAN = np.nan


def test_gaps_take_the_longest_season_then_the_shorter_then_the_value_before():
    values = np.array([1, 2, 3, 4, 5, 6, NAN, 8, NAN])
    np.testing.assert_array_equal(filled(values, (2, 6)), [1, 2, 3, 4, 5, 6, 1, 8, 3])
    np.testing.assert_array_equal(filled(values, (2,)), [1, 2, 3, 4, 5, 6, 5, 8, 5])
    np.testing.assert_array_equal(filled(np.array([NAN, 2, NAN, 4]), ()), [2, 2, 2, 4])


def test_what_follows_skips_what_is_known_and_marks_what_was_skipped():
    known = Demand(0.0, 10.0, np.ones(3))
    np.testing.assert_array_equal(followed_by(known, Demand(20.0, 10.0, np.array([1, 4.0]))), [4])
    np.testing.assert_array_equal(followed_by(known, Demand(40.0, 10.0, np.array([5.0]))), [NAN, 5])


def test_errors_are_those_of_the_forecast_made_at_each_lead_before_the_outcome():
    values = np.array([0, 1, 2, 3, 4, NAN])

    def last_seen(origins):
        return np.repeat(values[origins - 1][:, None, None], 2, axis=1)

    errors = errors_of(last_seen, values, first=3, steps=2)
    np.testing.assert_array_equal(errors[:, :, 0], [[1, 2], [1, 2], [NAN, NAN]])


def test_few_errors_shift_nothing_and_many_shift_each_quantile_by_its_own():
    rng = np.random.default_rng(0)
    errors = rng.normal(5.0, 1.0, (300, 1, 2))
    np.testing.assert_allclose(shifts(errors, (0.5, 0.95))[0], [5.0, 5.0 + 1.64], atol=0.25)
    assert not shifts(errors[: FEWEST - 1], (0.5, 0.95)).any()


def test_season_inputs_reach_back_over_the_whole_horizon():
    inputs = Inputs.of(100, lags=2, steps=5, seasons=(4, 10), fewest=1)
    assert inputs.distances == (8, 10)
    values = np.arange(100.0)
    np.testing.assert_allclose(inputs.seasonal(values, np.array([99])), [[91, 89, (89 + 79 + 69) / 3]])


def test_a_season_the_history_does_not_hold_twice_is_left_out():
    assert Inputs.of(19, lags=2, steps=2, seasons=(4, 10), fewest=1).distances == (4,)


def test_the_curve_repeats_its_last_season_beyond_its_end():
    curve = Curve(0.0, 10.0, season=2, values=np.arange(5.0)[:, None] * np.ones(3))
    np.testing.assert_array_equal(curve.at(30.0, 6)[:, 0], [3, 4, 3, 4, 3, 4])


def test_the_least_squares_that_training_begins_at_repeat_a_rule_without_noise():
    rng = np.random.default_rng(3)
    values = list(rng.normal(size=24))
    for k in range(24, 600):
        values.append(0.6 * values[k - 1] + 0.3 * values[k - 24] + 0.01 * rng.normal())
    inputs = Inputs.of(len(values), 5, 2, (24,), 10)
    network = Network.by_least_squares(inputs, (0.05, 0.95), np.array(values))
    made = network.predict(inputs, np.array(values), np.array([598]))[0]
    assert made[0, 0] == pytest.approx(values[598], abs=0.1)
    assert (np.diff(made[:, [1, 0, 2]], axis=1) > 0).all()


def test_the_network_in_numpy_says_what_neuralprophet_says():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, 300)
    context = ForecastContext(steps=4)
    inputs = Inputs.of(len(values), 5, context.steps, (24,), 10)
    at = np.arange(inputs.reach, len(values))
    columns = inputs.seasonal(values, at)
    blank = Network.blank(inputs, (0.05, 0.95))
    model = neural_prophet(0.03, 1, inputs, blank, 0, np.arange(2), len(at))
    table = season_table(values[at], columns)
    model.fit(table, freq="min", minimal=True)
    theirs = model.predict(table, decompose=False, auto_extend=False)
    network = Network.of(model.model.state_dict(), blank, np.arange(2))
    ours = network.predict(inputs, values, np.array([len(values) - context.steps]))[0]
    for k in range(context.steps):
        row = theirs.iloc[len(theirs) - context.steps + k]
        names = (f"yhat{k + 1}", f"yhat{k + 1} 5.0%", f"yhat{k + 1} 95.0%")
        assert ours[k] == pytest.approx([float(row[name]) for name in names], abs=1e-5)
