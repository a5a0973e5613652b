"""The mean over a window as Knative takes it, and when a service's last pod goes."""

import pytest

from barista.policies.buckets import Buckets
from barista.policies.zero import Since, Standing, ZeroRules, bounded, following


def filled(window_s, *values):
    buckets = Buckets(window_s)
    for at_s, value in values:
        buckets.record(at_s, value)
    return buckets


@pytest.mark.parametrize(
    ("values", "now_s", "mean"),
    [
        ([(0, 4)], 0, 4),  # one value is the mean of its second
        ([(0, 4), (1, 8)], 1, 6),
        ([(0, 4), (0.5, 8)], 0, 12),  # values of one second add up
        ([(0, 4), (3, 8)], 3, 3),  # a second without a value between others counts as zero
        ([(0, 4)], 3, 4),  # after the last one it does not
        ([(0, 4), (1, 8), (2, 6)], 5, 7),  # what has left the window of five is not counted
        ([(0, 4)], 5, 0),  # silence as long as the window
        ([(0, 4), (5, 8)], 5, 8),  # and everything begins anew
        ([], 3, 0),
    ],
)
def test_the_mean_is_over_the_seconds_that_are_known(values, now_s, mean):
    assert filled(5, *values).mean(now_s) == mean


def test_it_is_empty_before_the_first_value_and_once_the_last_is_older_than_the_window():
    assert Buckets(5).is_empty(0)
    assert not filled(5, (0, 1)).is_empty(5)
    assert filled(5, (0, 1)).is_empty(6)


@pytest.mark.parametrize(
    ("standing", "lasted_s", "kept"),
    [
        (Standing.ACTIVATING, 1000, None),  # its first pod is still on its way
        (Standing.ACTIVE, 59, 1),
        (Standing.ACTIVE, 60, None),
        (Standing.INACTIVE, 29, None),
        (Standing.INACTIVE, 30, 0),
    ],
)
def test_the_last_pod_goes_after_a_stable_window_in_use_and_the_grace_of_the_idle(standing, lasted_s, kept):
    assert bounded(0, Since(standing, 100), 100 + lasted_s, ZeroRules()) == kept
    assert bounded(3, Since(standing, 100), 100 + lasted_s, ZeroRules()) == 3
    assert bounded(0, Since(standing, 100), 100 + lasted_s, ZeroRules(enabled=False)) == 1


def test_a_service_falls_idle_goes_to_zero_and_is_woken():
    since, said = Since(Standing.ACTIVE, 0), []
    looks = [(10, 1), (70, 1), (72, 0), (80, 0), (103, 0), (110, 2), (112, 0)]
    for now_s, wanted in looks:
        ready = 0 if now_s > 103 else 1
        kept = bounded(wanted, since, now_s, ZeroRules())
        since = following(since, wanted, kept, ready, now_s)
        said.append((kept, since.standing.value))
    assert said == [
        (1, "active"),
        (1, "active"),
        (None, "inactive"),
        (None, "inactive"),
        (0, "inactive"),
        (2, "activating"),
        (None, "activating"),
    ]
