"""The KPA's rules: how many pods, when it panics, when it has no opinion."""

import pytest

from barista.policies.buckets import Buckets
from barista.policies.kpa import KpaRules, KpaState, scale

RULES = KpaRules(target=10)
CALM = KpaState()


@pytest.mark.parametrize(
    ("ready", "stable", "panic", "pods"),
    [
        (1, 10, 10, 1),  # right at the target
        (5, 50, 50, 5),
        (5, 51, 51, 6),  # a little above: one more
        (4, 50, 10, 5),  # stable: the long window decides
        (4, 50, 70, 5),  # lately more, but short of twice the ready pods
        (4, 50, 71, 8),  # twice the ready pods: panic, the short window decides
        (8, 60, 20, 6),
        (20, 10, 10, 10),  # no more than half of the pods are let go at once
        (3, 0, 0, 1),
        (1, 0, 0, 0),
        (0, 1, 1, 1),  # without pods it counts as if there were one
    ],
)
def test_pods_follow_the_mean_concurrency(ready, stable, panic, pods):
    opinion, _ = scale(stable, panic, CALM, ready, 100, RULES)
    assert opinion.pods == pods


def test_growth_is_limited_to_a_multiple_of_the_ready_pods():
    slow = KpaRules(target=1, max_scale_up_rate=1.1)
    opinion, _ = scale(30, 30, CALM, 2, 100, slow)
    assert opinion.pods == 3  # 1.1 times 2, rounded up: by one pod it can always grow


def story(*looks):
    """Pods at each look, given (time, in flight, ready), from a quiet start with one pod."""
    state, pods = KpaState.starting(1, 0), []
    stable, panic = Buckets(60.0, 2.0), Buckets(6.0, 2.0)
    for now_s, in_flight, ready in looks:
        stable.record(now_s, in_flight)
        panic.record(now_s, in_flight)
        opinion, state = scale(stable.mean(now_s), panic.mean(now_s), state, ready, now_s, RULES)
        pods.append(opinion.pods)
    return pods


def test_a_burst_makes_it_panic_and_it_lets_no_pod_go_for_a_stable_window():
    quiet = [(now_s, 5, 1) for now_s in range(0, 60, 2)]
    burst = [(60, 90, 1), (62, 90, 1), (64, 90, 1)]
    after = [(now_s, 5, 9) for now_s in range(66, 132, 2)]
    pods = story(*quiet, *burst, *after)
    assert set(pods[: len(quiet)]) == {1}
    assert pods[len(quiet) : len(quiet) + 3] == [4, 7, 9]
    last_cause_s = 64  # from then on twice the nine ready pods are not asked for any more
    since = dict(zip([now_s for now_s, _, _ in (*quiet, *burst, *after)], pods, strict=True))
    assert {since[now_s] for now_s in range(64, last_cause_s + 62, 2)} == {9}
    assert since[last_cause_s + 62] == 4  # out of panic: half of nine, at most


def test_more_cause_prolongs_the_panic():
    _, state = scale(10, 80, KpaState(60, 4), 4, 100, RULES)
    assert (state.panic_at_s, state.panic_pods) == (100, 8)


def test_a_slow_rise_ends_the_panic_though_load_still_grows():
    opinion, state = scale(500, 560, KpaState(39, 41), 55, 100, RULES)
    assert (opinion.pods, state.panic_at_s) == (50, None)


def test_a_restart_next_to_several_pods_keeps_them_until_enough_was_seen():
    opinion, _ = scale(1, 1, KpaState.starting(5, 0), 5, 0, RULES)
    assert opinion.pods == 5
    assert KpaState.starting(1, 0).panic_at_s is None
