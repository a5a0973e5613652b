"""The simulated cluster: services, replicas and pools in virtual time.

It is a platform and a metric source like any other, so the same controller runs on it as on a live
cluster. Nothing moves by itself: `advance` plays what happens up to a moment, and decisions are
applied in between. With the same seed the same decisions lead to the same run, to the last digit;
a service keeps its chances when others are added.
"""

from collections.abc import Iterable, Mapping, Sequence

from barista.platforms.simulated.hosted import Hosted
from barista.platforms.simulated.metrics import View, observation
from barista.platforms.simulated.orders import Orders
from barista.platforms.simulated.replica import Agenda
from barista.platforms.simulated.room import Room
from barista.platforms.simulated.run import SimulatedRun
from barista.platforms.simulated.service import SimulatedService
from barista.ports.platform import MetricSource, Platform
from barista.values.decision import Applied, Decision
from barista.values.flavor import Catalogue
from barista.values.observation import Observation
from barista.values.replica import Replica
from barista.values.series import Demand
from barista.values.service import Authority, DispatchRule, Service, ServiceId


class SimulatedCluster(Platform, MetricSource):
    """A cluster with the pools of `catalogue`, from `start_s` on.

    Requests are handed to replicas by the rule `dispatch`; at most `queue_limit` of a service wait (None: any
    number). What is seen is `scrape_delay_s` old. ValueError when the first replicas do not fit their pools.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        services: Iterable[SimulatedService],
        start_s: float,
        *,
        seed: int = 0,
        queue_limit: int | None = None,
        dispatch: DispatchRule = DispatchRule.LEAST_LOADED,
        scrape_delay_s: float = 0.0,
    ) -> None:
        self._catalogue, self._scrape_delay_s, self._now_s = catalogue, scrape_delay_s, start_s
        self._dispatch, self._agenda, room = dispatch, Agenda(), Room(catalogue)
        self._hosted = {
            given.id: Hosted.of(given, start_s, seed, queue_limit, dispatch, room, self._agenda)
            for given in services
        }
        self._orders = Orders(catalogue, room, {name: hosted.fleet for name, hosted in self._hosted.items()})
        if (pool := room.overfull()) is not None:
            raise ValueError(f"pool {pool!r}: too small for the replicas at the start: start fewer")

    @property
    def now_s(self) -> float:
        """The moment it was advanced to."""
        return self._now_s

    def advance(self, to_s: float) -> None:
        """Play everything that happens up to and including `to_s`."""
        while (replica := self._agenda.next_until(to_s)) is not None:
            self._now_s = replica.due_s
            hosted = self._hosted[replica.service]
            hosted.queue.advance(self._now_s)
            hosted.fleet.move_on(replica)
            self._orders.place_waiting(self._now_s)
        for hosted in self._hosted.values():
            hosted.queue.advance(to_s)
        self._now_s = max(self._now_s, to_s)

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        """Replicas by service; one that waits for room is starting, and when it is ready is unknown."""
        return {name: hosted.fleet.seen() for name, hosted in self._hosted.items()}

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        """Carry out the decisions at once; one under `advise` changes nothing."""
        faults = {d.service: "no such service here" for d in decisions if d.service not in self._hosted}
        changing = [
            decision
            for decision in decisions
            if decision.changes
            and decision.authority is not Authority.ADVISE
            and decision.service not in faults
        ]
        for decision in changing:
            self._hosted[decision.service].fleet.ledger.changed(self._now_s)
        if changing:
            orders = [(decision.service, change) for decision in changing for change in decision.changes]
            faults = {**faults, **self._orders.carry_out(orders, self._now_s)}
        return tuple(
            Applied(d.service, d.service not in faults, faults.get(d.service, "")) for d in decisions
        )

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:  # noqa: ARG002
        """The cluster's rule, for every service."""
        return self._dispatch

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        """What was seen up to `now_s`, less the delay. The future is not seen."""
        view = View(self._seen_s(now_s), window_s, step_s)
        return {
            service.id: observation(service, hosted.queue, hosted.offered, view)
            for service in services
            if (hosted := self._hosted.get(service.id)) is not None
        }

    def plight(self, service: ServiceId, window_s: float) -> tuple[int, float]:
        """Requests of `service` in flight, and the longest latency (s) answered in the last `window_s`.

        As fresh as what is observed, and much sooner told.
        """
        now_s = self._seen_s(self._now_s)
        seen = self._hosted[service].queue.look(now_s - window_s, now_s)
        return seen.in_flight, float(seen.latencies_s.max(initial=0.0))

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Demand on the whole steps within ``[start_s, end_s)`` that are over, the given past included."""
        found = {
            name: self._hosted[name].offered.series(start_s, self._seen_s(end_s), step_s)
            for name in services
            if name in self._hosted
        }
        return {name: demand for name, demand in found.items() if len(demand)}

    def outcome(self, from_s: float, until_s: float) -> SimulatedRun:
        """What came of everything within ``[from_s, until_s]``."""
        parts = {
            name: hosted.outcome(from_s, until_s, self._catalogue) for name, hosted in self._hosted.items()
        }
        return SimulatedRun(from_s, until_s, parts)

    def _seen_s(self, now_s: float) -> float:
        return min(now_s, self._now_s) - self._scrape_delay_s
