"""Leader election, told by two candidates at one Lease; time is what the test says."""

from typing import Any

from knative_world import Server

from barista.platforms.knative.client import Refused
from barista.platforms.knative.leader import ACT_SHARE, LEASE_S, Leader


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def candidates() -> tuple[Leader, Leader, Clock, Server]:
    server, clock = Server(), Clock()
    it: Any = server
    return (
        Leader(it, "system", "c", "one", clock=clock),
        Leader(it, "system", "c", "two", clock=clock),
        clock,
        server,
    )


def attempt(leader: Leader) -> bool:
    try:
        leader.attempt()
    except Refused:
        return False
    return leader.leads


def test_the_first_leads_and_the_second_waits() -> None:
    one, two, *_ = candidates()
    assert [attempt(one), attempt(two), attempt(one)] == [True, False, True]


def test_a_leader_that_cannot_renew_stops_acting_before_the_next_one_begins() -> None:
    one, two, clock, _ = candidates()
    attempt(one)
    attempt(two)
    clock.now_s = ACT_SHARE * LEASE_S
    assert not one.leads
    assert not attempt(two)
    clock.now_s = LEASE_S
    assert attempt(two)


def test_how_old_a_lease_is_is_measured_from_when_it_was_seen_to_change() -> None:
    one, two, clock, server = candidates()
    attempt(one)
    # Its holder's clock is an hour slow: that makes the Lease no older.
    (path,) = server.objects
    server.objects[path]["spec"]["renewTime"] = "2000-01-01T00:00:00.000000Z"
    assert not attempt(two)
    clock.now_s = LEASE_S - 1
    assert not attempt(two)
    clock.now_s = LEASE_S
    assert attempt(two)


def test_two_that_try_at_once_are_told_apart_by_the_objects_version() -> None:
    one, two, clock, server = candidates()
    attempt(one)
    attempt(two)
    clock.now_s = LEASE_S
    real = server.replace

    def first_the_other(path: str, body: Any) -> dict[str, Any]:
        server.replace = real  # type: ignore[method-assign]  # once only
        attempt(one)
        return real(path, body)

    server.replace = first_the_other  # type: ignore[method-assign]  # the race, made to happen
    assert not attempt(two)
    assert one.leads


def test_a_lease_given_up_is_taken_at_once() -> None:
    one, two, *_ = candidates()
    one.start()
    while not one.leads:
        pass
    one.stop()
    assert not one.leads
    assert attempt(two)
