import numpy as np
import pytest

from barista.forecast.surprise import SHARES, Surprise

LEVELS = (0.05, 0.5, 0.95)
BOUNDS = np.array([[2.0, 5.0, 10.0]])


def after(outcomes, surprise=None):
    """One lead, the same bounds stated before each of the `outcomes`."""
    surprise = surprise or Surprise.start(1, LEVELS)
    for outcome in outcomes:
        by_share = surprise.moved(BOUNDS)
        surprise = surprise.learned(outcome, by_share, surprise.chosen(by_share)[0])
    return surprise


def stated(surprise):
    return surprise.chosen(surprise.moved(BOUNDS))[0]


@pytest.mark.parametrize(("last", "expected"), [(6, [2, 5, 10]), (25, [2, 5, 25]), (1, [1, 5, 10])])
def test_a_first_value_beyond_its_bound_moves_that_bound_to_it(last, expected):
    np.testing.assert_allclose(stated(after([last])), expected)


def test_an_unseen_value_is_no_surprise():
    np.testing.assert_allclose(stated(after([25]).past()), BOUNDS[0])


def test_surprises_that_pass_at_once_are_soon_not_followed():
    often = after([25, 5] * 20)
    assert SHARES[often.losses[0, 2].argmin()] == 0
    np.testing.assert_allclose(stated(after([25], often)), BOUNDS[0])


def test_surprises_that_stay_are_followed_in_full():
    lasting = after([5] * 10 + [25] * 10)
    assert SHARES[lasting.losses[0, 2].argmin()] == 1


def test_bounds_never_cross_or_fall_below_zero():
    moved = Surprise.start(1, (0.05, 0.5, 0.9, 0.95)).learned(
        50.0, np.full((1, 4, len(SHARES)), np.nan), np.array([1.0, 5.0, 6.0, 49.0])
    )
    said = moved.chosen(moved.moved(np.array([[0.0, 5.0, 6.0, 9.0]])))[0]
    assert (np.diff(said) >= 0).all()
    assert said.min() >= 0
