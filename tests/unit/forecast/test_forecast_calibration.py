import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.forecast.calibration import FEWEST_ERRORS, SCALES, Calibration

LEVELS = (0.05, 0.5, 0.95)
HABIT, DEMAND = range(SCALES)


def seen(median, outcomes, bins=None, stated=None):
    """A calibration that saw, at one lead, `outcomes` around `median`s, with bounds `stated` (n, levels)."""
    calibration, bins = Calibration.start(1, LEVELS), np.zeros(len(outcomes), int) if bins is None else bins
    for k, outcome in enumerate(outcomes):
        middle, at = np.array([median[k]]), int(bins[k])
        scales = calibration.sizes.scales(middle, np.array([at]))
        bounds = np.full((1, 3), np.nan) if stated is None else stated[k][None]
        calibration = calibration.learned(float(outcome), middle, scales, bounds, at)
    return calibration


def bounds(calibration, median, at=0):
    middle = np.array([median])
    return calibration.bounds(middle, calibration.sizes.scales(middle, np.array([at])))[0]


def test_too_few_errors_say_nothing():
    few = seen(np.full(FEWEST_ERRORS - 1, 5.0), np.full(FEWEST_ERRORS - 1, 6.0))
    assert np.isnan(bounds(few, 5.0)).all()


def test_errors_give_their_own_quantiles_around_the_median():
    errors = np.random.default_rng(1).normal(size=400)
    low, middle, high = bounds(seen(np.full(400, 50.0), 50 + errors), 70.0)
    assert high[HABIT] == pytest.approx(70 + 1.64, abs=0.35)
    assert low[HABIT] == pytest.approx(70 - 1.64, abs=0.35)
    assert np.isnan(middle).all()


def test_errors_that_grow_with_demand_give_bounds_that_do():
    rng = np.random.default_rng(2)
    median = rng.uniform(10, 1000, 400)
    calibration = seen(median, median + np.sqrt(median) * rng.normal(size=400))
    quiet, busy = (bounds(calibration, m)[2, DEMAND] - m for m in (10.0, 1000.0))
    assert busy > 4 * quiet


def test_errors_of_one_hour_widen_the_bounds_of_that_hour_only():
    hours = np.arange(480) % 24
    errors = np.random.default_rng(3).normal(size=480) * np.where(hours == 7, 20.0, 1.0)
    calibration = seen(np.full(480, 100.0), 100 + errors, hours)
    night, rush = (bounds(calibration, 100.0, at)[2, HABIT] - 100 for at in (3, 7))
    assert rush > 2.5 * night


def test_a_spell_of_large_errors_widens_the_bounds_while_it_lasts():
    errors = np.random.default_rng(4).normal(size=400)
    calm = seen(np.full(400, 100.0), 100 + errors)
    errors[-12:] *= 10
    spell = seen(np.full(400, 100.0), 100 + errors)
    assert bounds(spell, 100.0)[2, HABIT] - 100 > 2 * (bounds(calm, 100.0)[2, HABIT] - 100)


def test_bounds_that_are_missed_too_often_are_widened_and_those_never_missed_narrowed():
    median, n = np.array([100.0]), 300
    stated = np.broadcast_to([99.0, 100.0, 101.0], (n, 3))
    missed = seen(np.full(n, 100.0), np.where(np.arange(n) % 2, 110.0, 90.0), stated=stated)
    never = seen(np.full(n, 100.0), np.full(n, 100.0), stated=stated)
    assert missed.tracked(median, stated[:1])[0, 2] > 101.2
    assert never.tracked(median, stated[:1])[0, 2] < 100.9


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_tracked_bounds_rise_hold_the_median_and_are_never_negative(seed):
    rng = np.random.default_rng(seed)
    median, stated = rng.uniform(0, 10, 4), rng.uniform(-5, 20, (4, 3))
    found = Calibration.start(4, LEVELS).tracked(median, stated)
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found >= 0).all()
    assert np.array_equal(found[:, 1], median)


@pytest.mark.parametrize("kind", ["normal", "pareto", "steps"])
def test_bounds_hold_as_often_as_they_say(kind):
    rng, n = np.random.default_rng(7), 1500
    errors = {
        "normal": rng.normal(size=n),
        "pareto": rng.pareto(2.5, n),
        "steps": rng.normal(size=n) * np.where(np.arange(n) % 300 < 150, 1.0, 1.6),
    }[kind]
    calibration, held = Calibration.start(1, LEVELS), []
    for error in errors:
        median = np.array([100.0])
        scales = calibration.sizes.scales(median, np.array([0]))
        own = calibration.bounds(median, scales)[:, :, HABIT]
        stated = calibration.tracked(median, np.where(np.isfinite(own), own, median[:, None]))
        held.append(100 + error <= stated[0, 2])
        calibration = calibration.learned(100 + error, median, scales, stated, 0)
    assert np.mean(held[300:]) == pytest.approx(0.95, abs=0.015)
