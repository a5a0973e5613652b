"""When fits are ordered: by the time of the series, at moments of their own, as many as there is room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from core_world import make_service

from barista.control.learn import BATCH, Learner
from barista.values.observation import Observation
from barista.values.series import Demand
from barista.values.service import Service, ServiceId

SERVICE = make_service()
A = SERVICE.id
LONG = Demand(-5000, 10, np.ones(500))


@dataclass
class Past:
    """A metric source that knows the history it is told."""

    histories: dict[ServiceId, Demand] = field(default_factory=dict)
    asked: list[tuple[float, float]] = field(default_factory=list)

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        return {}

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        self.asked.append((start_s, end_s))
        return {s: self.histories[s] for s in services if s in self.histories}


@dataclass
class Bench:
    """A forecaster host that notes what it is asked; a fit takes `fit_s`."""

    fit_s: float = 0.0
    ordered: list[tuple[ServiceId, float]] = field(default_factory=list)
    under_way: list[float] = field(default_factory=list)
    seen: set[ServiceId] = field(default_factory=set)

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:
        self.ordered.append((service.id, now_s))
        self.under_way.append(now_s)

    def has_seen(self, service: ServiceId) -> bool:
        return service in self.seen

    def collect(self, now_s: float) -> None:
        self.under_way = [ordered_s for ordered_s in self.under_way if now_s - ordered_s < self.fit_s]

    def fits_under_way(self) -> int:
        return len(self.under_way)


def orders(bench: Bench, service: ServiceId = A) -> list[float]:
    return [at for name, at in bench.ordered if name == service]


def test_fits_are_ordered_by_the_time_of_the_series_on_the_history_then() -> None:
    bench, past = Bench(), Past({A: LONG})
    learner = Learner(bench, past, learn_s=100, history_s=1000, step_s=10)
    for now_s in range(0, 520, 5):
        learner.learn([SERVICE], now_s)
    first, second, *later = orders(bench)
    assert first == 0
    assert 50 <= second <= 155
    assert set(np.diff([second, *later])) == {100}
    assert past.asked == [(at - 1000, at) for at in orders(bench)]


def test_a_young_series_is_learned_again_each_time_it_has_doubled() -> None:
    bench, past = Bench(), Past()
    learner = Learner(bench, past, learn_s=1e6, history_s=1000, step_s=10)
    for now_s in range(0, 400, 5):
        if now_s > 15:  # nothing was seen before second 10
            past.histories[A] = Demand(0, 10, np.array([np.nan, *np.ones(now_s // 10 - 1)]))
        learner.learn([SERVICE], now_s)
    assert orders(bench) == [20, 30, 50, 90, 170, 330]


def test_a_thousand_services_are_spread_over_the_interval() -> None:
    services = [make_service(f"s{i}") for i in range(1000)]
    bench = Bench()
    learner = Learner(
        bench, Past(dict.fromkeys((s.id for s in services), LONG)), 1000, 1000, 10, fits_at_once=1000
    )
    for now_s in range(0, 4000, 10):
        learner.learn(services, now_s)
    in_an_interval = [at for _, at in bench.ordered if 3000 <= at < 4000]
    assert len(in_an_interval) == 1000
    assert np.histogram(in_an_interval, bins=10, range=(3000, 4000))[0].max() < 150


@pytest.mark.parametrize("fits_at_once", [1, 3])
def test_no_more_fits_are_under_way_than_there_is_room_for_and_the_longest_due_come_first(
    fits_at_once: int,
) -> None:
    services = [make_service(f"s{i}") for i in range(30)]
    bench = Bench(fit_s=20)
    learner = Learner(
        bench, Past(dict.fromkeys((s.id for s in services), LONG)), 10_000, 1000, 10, fits_at_once
    )
    most = 0
    for now_s in range(0, 700, 5):
        learner.learn(services, now_s)
        most = max(most, bench.fits_under_way())
    assert most == fits_at_once
    assert [name for name, _ in bench.ordered] == [service.id for service in services]


def test_services_that_show_demand_come_before_those_that_do_not() -> None:
    services = [make_service(f"s{i}") for i in range(50)]
    last = services[-1].id
    bench, past = Bench(fit_s=1e9, seen={last}), Past({last: LONG})
    Learner(bench, past, 1000, 1000, 10).learn(services, 0)
    assert orders(bench, last) == [0]


def test_of_services_of_which_nothing_is_known_a_few_are_asked_for_at_a_time_ever_more_rarely() -> None:
    services = [make_service(f"s{i}") for i in range(3 * BATCH)]
    bench, past = Bench(), Past()
    learner, asked = Learner(bench, past, 1e6, 1000, 10), list[int]()
    for now_s in range(0, 2000, 10):
        learner.learn(services, now_s)
        asked.append(len(past.asked))
    assert asked[:3] == [1, 2, 3]
    assert asked[-1] < 3 * 10


def test_a_service_that_begins_to_show_demand_is_learned_at_once() -> None:
    bench, past = Bench(), Past()
    learner = Learner(bench, past, 1e6, 1000, 10)
    for now_s in range(0, 1000, 10):
        learner.learn([SERVICE], now_s)
    bench.seen.add(A)
    past.histories[A] = Demand(980, 10, np.ones(2))
    learner.learn([SERVICE], 1000)
    assert orders(bench) == [1000]
