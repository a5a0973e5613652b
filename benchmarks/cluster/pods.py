"""The cluster of the protocol: services that share `limit` pods, their replicas starting and going.

A service keeps one pod and one replica always. A replica ordered takes an idle pod of its service, else
a new one while there are any, else waits; the pod of a removed replica stays with its service for a
while.
"""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.cluster.queueing import SLOTS, Floats, Queueing, advance, join, leave, queueing

IN_IDLE_POD_S = 3
IN_NEW_POD_S = 35
RETRY_S = 5
IDLE_POD_S = 30
MOST = 100


@dataclass(slots=True)
class Service:
    """One service: its requests, its replicas in rotation (slots), and its pods.

    `starting` are the moments at which ordered replicas serve, `waiting` the orders that no pod was found for
    (when to try again), `idle` the moments since which pods of removed replicas are idle.
    """

    queue: Queueing
    serving: list[int] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)

    @property
    def pods(self) -> int:
        """Pods that count against the limit."""
        return len(self.serving) + len(self.starting) + len(self.idle)

    @property
    def ordered(self) -> int:
        """Replicas that serve or were asked for."""
        return len(self.serving) + len(self.starting) + len(self.waiting)


class Cluster:
    """Ten services, `limit` pods, `first` replicas serving for each at the start.

    `arrivals_s` are the moments of the requests of each service within `seconds`.
    """

    def __init__(self, arrivals_s: list[Floats], limit: int, first: int, seconds: int, seed: int) -> None:
        chances = np.random.default_rng([seed, 1]).spawn(len(arrivals_s))
        self.limit, self.seconds, self.now_s = limit, seconds, 0
        self.services = [
            Service(queueing(arrivals, chance, seconds + 1))
            for arrivals, chance in zip(arrivals_s, chances, strict=True)
        ]
        self.replica_seconds = 0
        for service in self.services:
            for _ in range(first):
                self._serve(service)

    @property
    def pods(self) -> int:
        """Pods that exist."""
        return sum(service.pods for service in self.services)

    def advance(self, to_s: int) -> None:
        """Play everything up to and including the whole second `to_s`."""
        while self.now_s < to_s:
            self.now_s += 1
            self.replica_seconds += sum(len(service.serving) for service in self.services)
            for service in self.services:
                self._second(service)

    def order(self, k: int, count: int = 1) -> None:
        """`count` more replicas for service `k`."""
        for _ in range(count):
            self._order(self.services[k], self.now_s)

    def remove(self, k: int, count: int = 1) -> None:
        """`count` fewer replicas for service `k`: waiting orders first, then serving ones, never the last."""
        service = self.services[k]
        advance(service.queue, self.now_s)
        for _ in range(count):
            if service.waiting:
                service.waiting.pop()
            elif len(service.serving) > 1:
                slot = service.serving.pop()
                leave(service.queue, slot)
                service.idle.append(self.now_s)

    def _second(self, service: Service) -> None:
        now_s = self.now_s
        if now_s % RETRY_S == 0:
            service.idle = [since for since in service.idle if now_s - since < IDLE_POD_S]
        for due in [due for due in service.waiting if due <= now_s]:
            service.waiting.remove(due)
            self._order(service, now_s)
        ready = [at_s for at_s in service.starting if at_s <= now_s]
        if ready:
            advance(service.queue, now_s)
        for at_s in ready:
            service.starting.remove(at_s)
            self._serve(service)

    def _order(self, service: Service, now_s: int) -> None:
        if service.idle:
            service.idle.pop()
            service.starting.append(now_s + IN_IDLE_POD_S)
        elif self.pods < self.limit:
            service.starting.append(now_s + IN_NEW_POD_S)
        else:
            service.waiting.append(now_s + RETRY_S)

    def _serve(self, service: Service) -> None:
        free = next(s for s in range(SLOTS) if s not in service.serving and service.queue.is_empty(s))
        service.serving.append(free)
        join(service.queue, free, float(self.now_s))
