"""Which replica a request goes to, and which request is next."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barista.platforms.local.dispatch import Endpoint, Lane, QueueFull, list_table


def endpoints(*ids: str, slots: int = 1) -> list[Endpoint]:
    return [Endpoint(name, f"http://127.0.0.1/{name}", slots) for name in ids]


def lane_with(*ids: str, slots: int = 1, queue_limit: int = 10) -> Lane[int]:
    lane: Lane[int] = Lane(queue_limit)
    lane.list_replicas(endpoints(*ids, slots=slots), 0)
    return lane


def matches(lane: Lane[int]) -> list[tuple[int, str]]:
    found = []
    while (match := lane.match()) is not None:
        found.append((match[0], match[1].endpoint.id))
    return found


def join(lane: Lane[int], *tickets: int) -> None:
    for ticket in tickets:
        lane.join(ticket)


def test_equally_loaded_replicas_take_turns():
    lane, seen = lane_with("a", "b", "c"), []
    for ticket in range(6):
        lane.join(ticket)
        _, backend = lane.match()
        seen.append(backend.endpoint.id)
        lane.release(backend)
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_without_a_replica_requests_wait_and_start_in_order_once_there_is_one():
    lane = lane_with()
    join(lane, 1, 2, 3)
    assert lane.match() is None
    lane.list_replicas(endpoints("a", slots=2), 0)
    assert matches(lane) == [(1, "a"), (2, "a")]
    assert (lane.waiting, lane.in_service, lane.replicas) == (1, 2, 1)


def test_a_full_queue_refuses_and_says_so():
    lane = lane_with("a", queue_limit=1)
    lane.join(1)
    lane.match()
    lane.join(2)
    with pytest.raises(QueueFull, match="1 requests wait already"):
        lane.join(3)


def test_a_queue_of_no_places_still_lets_requests_start_at_once():
    lane = lane_with("a", queue_limit=0)
    lane.join(1)
    assert matches(lane) == [(1, "a")]
    with pytest.raises(QueueFull):
        lane.join(2)


def test_a_request_whose_replica_failed_goes_before_those_that_wait():
    lane = lane_with()
    join(lane, 1, 2)
    lane.rejoin(0)
    lane.list_replicas(endpoints("a", slots=3), 0)
    assert [ticket for ticket, _ in matches(lane)] == [0, 1, 2]


def test_a_replica_no_longer_listed_drains():
    lane = lane_with("a", "b")
    lane.join(1)
    _, held = lane.match()
    lane.list_replicas(endpoints("b"), 1)
    assert lane.in_flight() == {"a": 1, "b": 0}
    join(lane, 2, 3)
    assert matches(lane) == [(2, "b")]
    lane.release(held)
    assert lane.in_flight() == {"b": 1}
    assert lane.match() is None


def test_a_replica_listed_again_while_it_drains_is_still_as_busy_as_it_is():
    lane = lane_with("a")
    lane.join(1)
    lane.match()
    lane.list_replicas([], 1)
    lane.list_replicas(endpoints("a"), 2)
    lane.join(2)
    assert lane.match() is None


@pytest.mark.parametrize(
    ("listed_again_at_s", "starts"),
    [(0.5, False), (1.0, True), (7.0, True)],
)
def test_a_suspect_is_left_out_until_it_is_listed_a_second_later(listed_again_at_s, starts):
    lane = lane_with("a")
    lane.join(1)
    _, backend = lane.match()
    lane.suspect(backend, 0.0)
    lane.release(backend)
    lane.join(2)
    assert lane.match() is None
    lane.list_replicas(endpoints("a"), listed_again_at_s)
    assert (lane.match() is not None) == starts


def test_a_table_that_names_an_unknown_service_changes_nothing():
    lanes = {"default/one": lane_with("a"), "default/two": lane_with("b")}
    with pytest.raises(
        ValueError, match="service default/three: not known here; known: default/one, default/two"
    ):
        list_table(lanes, {"default/one": [], "default/three": endpoints("c")}, 1)
    assert lanes["default/one"].in_flight() == {"a": 0}


def test_a_service_that_the_table_leaves_out_has_no_replicas():
    lanes = {"default/one": lane_with("a"), "default/two": lane_with("b")}
    list_table(lanes, {"default/one": endpoints("a", "c")}, 1)
    assert {name: lane.replicas for name, lane in lanes.items()} == {"default/one": 2, "default/two": 0}


def test_a_replica_without_slots_is_refused():
    with pytest.raises(ValueError, match="replica a: slots 0: need at least 1"):
        Endpoint("a", "http://127.0.0.1", 0)


class LaneStory(RuleBasedStateMachine):
    """Any order of events, against a model that knows only the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.lane: Lane[int] = Lane(4)
        self.now_s = 0.0
        self.tickets = 0
        self.queue: list[int] = []
        self.held: list = []
        self.listed: dict[str, int] = {}

    @rule(table=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3)))
    def list_replicas(self, table):
        self.now_s += 0.6
        self.listed = table
        self.lane.list_replicas([Endpoint(name, "", slots) for name, slots in table.items()], self.now_s)
        self.start_all()

    @rule()
    def arrive(self):
        self.tickets += 1
        try:
            self.lane.join(self.tickets)
        except QueueFull:
            assert len(self.queue) == 4
        else:
            self.queue.append(self.tickets)
            self.start_all()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data):
        self.lane.release(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))
        self.start_all()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def fail(self, data):
        backend = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.lane.suspect(backend, self.now_s)
        self.lane.release(backend)

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data):
        ticket = data.draw(st.sampled_from(self.queue))
        self.queue.remove(ticket)
        self.lane.leave(ticket)

    def start_all(self):
        while True:
            before = self.lane.in_flight()
            match = self.lane.match()
            if match is None:
                return
            ticket, backend = match
            assert ticket == self.queue.pop(0), "first come, first served"
            assert backend.endpoint.id in self.listed
            assert backend.suspect_since_s is None
            eligible = [
                before[other.endpoint.id]
                for other in self.lane._backends.values()
                if other.listed
                and other.suspect_since_s is None
                and before[other.endpoint.id] < other.endpoint.slots
            ]
            assert before[backend.endpoint.id] == min(eligible), "least loaded"
            assert backend.busy <= backend.endpoint.slots, "never above its slots"
            self.held.append(backend)

    @invariant()
    def nothing_is_lost(self):
        assert self.lane.waiting == len(self.queue)
        assert self.lane.in_service == len(self.held)
        assert self.lane.replicas == len(self.listed)


TestLaneStory = LaneStory.TestCase
