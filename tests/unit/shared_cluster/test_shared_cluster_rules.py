"""The shared cluster plays by its protocol: who is refused, what a move takes, what admission gains."""

import numpy as np
import pytest

from benchmarks.cluster.__main__ import BENCH
from benchmarks.cluster.alone import best_limit
from benchmarks.cluster.pods import Cluster
from benchmarks.cluster.queueing import HEAD_LIMIT, LIMIT, NO_HEAD_QUEUE, advance, join, queueing
from benchmarks.cluster.replay import replay
from benchmarks.cluster.trace import read_case


@pytest.mark.parametrize(
    ("limit", "held"),
    [
        pytest.param(NO_HEAD_QUEUE, 4, id="no head queue: the four places of the replica"),
        pytest.param(0, 6, id="bound 0: one waits besides, and one is in the dispatcher's hand"),
        pytest.param(HEAD_LIMIT, 56, id="bound 50: fifty-one wait"),
    ],
)
def test_a_service_holds_what_its_bound_and_its_replica_leave_room_for(limit: int, held: int) -> None:
    queue = queueing(np.zeros(80), np.random.default_rng(1), 60)
    queue.way_in_s[:] = 1e-4  # They are all in before the first is served.
    queue.at[LIMIT] = limit
    join(queue, 0, 0.0)
    advance(queue, np.inf)
    assert (~queue.refused).sum() == held


def test_without_a_head_queue_nobody_is_refused_while_a_replica_has_a_place() -> None:
    queue = queueing(np.zeros(8), np.random.default_rng(1), 60)
    queue.at[LIMIT] = NO_HEAD_QUEUE
    for replica in range(2):
        join(queue, replica, 0.0)
    advance(queue, np.inf)
    assert not queue.refused.any()


def test_with_too_much_load_the_fewest_miss_without_a_head_queue() -> None:
    assert best_limit(NO_HEAD_QUEUE) == NO_HEAD_QUEUE


def test_a_replica_moved_to_another_service_serves_after_seventy_seconds() -> None:
    cluster = Cluster([np.empty(0), np.empty(0)], limit=4, first=2, seconds=120, seed=1)
    cluster.remove(0)
    cluster.order(1)
    serving = {}
    for now_s in range(1, 120):
        cluster.advance(now_s)
        serving[now_s] = len(cluster.services[1].serving)
    assert min(now_s for now_s, count in serving.items() if count == 3) in range(65, 71)


def test_a_replica_taken_back_within_its_pods_grace_serves_after_three_seconds() -> None:
    cluster = Cluster([np.empty(0)], limit=2, first=2, seconds=60, seed=1)
    cluster.remove(0)
    cluster.advance(20)
    cluster.order(0)
    cluster.advance(23)
    assert len(cluster.services[0].serving) == 2


@pytest.mark.skipif(not BENCH.exists(), reason="needs the shared benchmark beside the checkout")
def test_three_replicas_each_miss_what_is_published_of_a_fair_share() -> None:
    case = read_case(BENCH / "requests_per_minute.csv", BENCH / "history_per_minute.csv")
    outcome = replay(case.arrivals_s(42), 36, 3, case.seconds, 42, lambda _: None)
    assert outcome.miss_pct == pytest.approx(27.23, abs=0.3)
    assert outcome.mean_replicas == pytest.approx(30.0, abs=0.01)
