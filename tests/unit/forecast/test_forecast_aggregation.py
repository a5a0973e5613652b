import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.forecast.aggregation import Aggregation

LEVELS = (0.05, 0.5, 0.95)


def learned(values, outcomes, levels=(0.5,)):
    """An aggregation that saw, at one lead, experts' `values` (n, experts) and their `outcomes`."""
    aggregation = Aggregation.start(1, levels, values.shape[1])
    for stated, outcome in zip(values, outcomes, strict=True):
        experts = np.broadcast_to(stated, (1, len(levels), values.shape[1])).copy()
        aggregation = aggregation.learned(experts, aggregation.mixed(experts), outcome)
    return aggregation


def mixed(aggregation, stated):
    shape = 1, len(aggregation.levels), len(stated)
    return aggregation.mixed(np.broadcast_to(np.array(stated, dtype=float), shape).copy()).values[0]


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_nothing_learned_means_equal_weights():
    assert mixed(Aggregation.start(1, (0.5,), 4), [1, 2, 3, 6])[0] == pytest.approx(3)


def test_the_expert_that_is_right_is_soon_believed():
    outcomes = 50 + noise(1, 300)
    aggregation = learned(np.stack([outcomes, outcomes + 5, outcomes - 20], axis=1), outcomes)
    assert mixed(aggregation, [10, 20, 0])[0] == pytest.approx(10, abs=0.5)


def test_experts_whose_errors_cancel_are_mixed_and_beat_the_best_of_them():
    outcomes, error = 50 + noise(2, 1000), np.abs(noise(3, 1000)) * 5
    values = np.stack([outcomes + error, outcomes - error], axis=1)
    aggregation = learned(values, outcomes)
    assert mixed(aggregation, [10, 0])[0] == pytest.approx(5, abs=1)


def test_after_a_change_of_regime_the_other_expert_is_believed_within_a_few_outcomes():
    outcomes = 50 + noise(4, 600)
    first, second = outcomes + 10, outcomes + 10
    first[:500], second[500:] = outcomes[:500], outcomes[500:]
    aggregation = learned(np.stack([first, second], axis=1)[:540], outcomes[:540])
    assert mixed(aggregation, [1, 0])[0] < 0.2


def test_one_burst_does_not_outvote_what_was_learned_before():
    outcomes = 50 + noise(7, 300)
    values = np.stack([outcomes + 0.1, outcomes + 5], axis=1)
    outcomes[-1], values[-1] = 10_000, [50, 9_000]
    before, after = learned(values[:-1], outcomes[:-1]), learned(values, outcomes)
    assert mixed(before, [10, 20])[0] < 11
    assert mixed(after, [10, 20])[0] < 13


def test_each_level_has_weights_of_its_own():
    outcomes = 50 + noise(5, 2000)
    values = np.broadcast_to([48.4, 50.0, 51.6], (2000, 3))
    found = mixed(learned(values, outcomes, LEVELS), [48.4, 50.0, 51.6])
    assert found == pytest.approx([48.4, 50.0, 51.6], abs=0.4)


def test_one_that_sleeps_takes_no_part_and_loses_nothing():
    outcomes = 50 + noise(6, 400)
    values = np.stack([outcomes, outcomes + 5], axis=1)
    values[200:, 0] = np.nan
    aggregation = learned(values, outcomes)
    assert mixed(aggregation, [np.nan, 7])[0] == pytest.approx(7)
    assert mixed(aggregation, [10, 20])[0] < 15


def test_where_all_sleep_nothing_is_said_and_nothing_learned():
    aggregation = learned(np.full((3, 2), np.nan), [1.0, 2.0, 3.0])
    assert np.isnan(mixed(aggregation, [np.nan, np.nan])[0])
    assert mixed(aggregation, [1, 3])[0] == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1e-6, 3.0, 1e6]))
def test_the_unit_of_demand_makes_no_difference(seed, unit):
    outcomes, values = 50 + noise(seed, 40), 50 + noise(seed + 1, 40, 3)
    one, other = learned(values, outcomes, LEVELS), learned(values * unit, outcomes * unit, LEVELS)
    awake = np.ones((1, 3, 3), dtype=bool)
    assert np.allclose(one.weights(awake), other.weights(awake), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_mixture_is_never_much_worse_than_the_best_expert(seed):
    """Its regret grows with the square root of the number of outcomes, whatever the experts do."""
    rng = np.random.default_rng(seed)
    outcomes, values = rng.uniform(0, 1, 400), rng.uniform(0, 1, (400, 4))
    aggregation, loss = Aggregation.start(1, (0.5,), 4), 0.0
    for stated, outcome in zip(values, outcomes, strict=True):
        experts = stated[None, None]
        made = aggregation.mixed(experts)
        loss += abs(outcome - made.values[0, 0])
        aggregation = aggregation.learned(experts, made, outcome)
    assert loss <= np.abs(outcomes[:, None] - values).sum(axis=0).min() + 2 * np.sqrt(400)
