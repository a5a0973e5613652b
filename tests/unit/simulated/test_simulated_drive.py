"""The virtual clock calls back when it was asked to, and ends when it should."""

import pytest
from simulated_world import START_S, A, cluster, order, service

from barista.platforms.simulated.drive import drive


def test_the_clock_goes_from_one_thing_due_to_the_next():
    world, ticks, told = cluster(service(arrivals=[1, 2])), [], []

    def tick(now_s):
        assert world.now_s == now_s
        ticks.append(now_s - START_S)
        if not world.state()[A]:
            order(world, {"small": 1})
        return now_s + 15

    run = drive(tick, world, START_S, START_S + 40, lambda now_s: told.append(now_s - START_S))
    assert (ticks, told) == ([0, 15, 30], [15, 30, 40])
    assert world.now_s == START_S + 40
    assert run.services[A].latencies_s.tolist() == pytest.approx([20, 20])
    assert (run.requests, run.cold_starts) == (2, 1)
    assert run.cost == pytest.approx(40 / 3600 * 36)


def test_a_tick_that_stops_the_clock_is_an_error():
    with pytest.raises(ValueError, match="not later"):
        drive(lambda now_s: now_s, cluster(service()), START_S, START_S + 10)
