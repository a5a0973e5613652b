"""Rates from raw samples of a counter."""

import numpy as np
import pytest

from barista.platforms.local.samples import Boundaries, Samples


def samples(*pairs: tuple[float, float]) -> Samples:
    table = np.array(pairs, dtype=float)
    return Samples(table[:, 0], table[:, 1])


@pytest.mark.parametrize(
    ("pairs", "rate"),
    [
        ([(0, 0), (1, 10), (2, 20), (3, 30)], 10.0),
        ([(0, 0), (1, 900), (2, 910), (4, 930)], 10.0),  # what is before the window does not count
        ([(8, 0), (9, 10)], 10.0),  # two samples of a new series tell as much as many
        ([(9, 7)], None),  # one tells nothing
        ([(0, 500), (1, 510), (2, 3), (3, 13)], 10.0),  # a restart: its interval is left out
        ([(0, 500), (2, 3)], None),
        ([(0, 5), (1, 5), (2, 5)], 0.0),  # nothing arrived, and that was seen
    ],
)
def test_a_rate_over_the_last_three_seconds(pairs, rate):
    assert samples(*pairs).rate(3) == (None if rate is None else pytest.approx(rate))


def test_a_mean_is_that_of_the_window_before_the_newest_sample():
    series = samples((0, 100), (1, 2), (2, 4), (3, 6))
    assert series.mean(2) == 4
    assert (series.last(), series.newest_s) == (6, 3)


@pytest.mark.parametrize(
    ("counts", "sampled_at_s", "rates"),
    [
        ([0, 10, 30], [0, 5, 10], [2, 4]),
        ([0, 10, 30], [-1, 3.8, 10], [10 / 4.8, 20 / 6.2]),  # over the time between the samples
        ([0, 10, 30], [0, 2, 10], [np.nan, np.nan]),  # the one in the middle is too old
        ([0, np.nan, 30], [0, np.nan, 10], [np.nan, np.nan]),
        ([70, 3, 13], [0, 5, 10], [np.nan, 2]),  # a restart within the first step
        ([7, 7, 7], [0, 5, 10], [0, 0]),
        ([7, 7, 17], [4, 4, 10], [np.nan, 10 / 6]),  # the same sample twice tells nothing
    ],
)
def test_rates_of_steps_of_five_seconds(counts, sampled_at_s, rates):
    boundaries = Boundaries(np.array(counts, dtype=float), np.array(sampled_at_s, dtype=float))
    boundaries_s = np.array([0.0, 5.0, 10.0])
    np.testing.assert_allclose(boundaries.rates(boundaries_s, near_s=2.5), rates)
