"""Dispatch: which replica a request goes to, and which request is next. Pure: no sockets, no clock.

Each service has a lane: the replicas that serve it and the requests that wait for one, first come,
first served. A request goes to the least-loaded replica with a free slot, in turn among equals. A
replica that is no longer listed gets nothing new and keeps what it holds, so taking one out of the
table drains it. One that failed to answer is suspect: it is left out until it is listed again.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

SUSPECT_S = 1.0
"""A suspect replica is left out at least this long: a table on its way may not know yet."""

T = TypeVar("T")


class QueueFull(Exception):
    """No replica is free and as many requests wait as may; the message says how many."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One replica as the table lists it: it works on `slots` requests at once, asked at `url`."""

    id: str
    url: str
    slots: int = 1

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ValueError(f"replica {self.id}: slots {self.slots}: need at least 1")


@dataclass(slots=True, eq=False)
class Backend:
    """A replica at work: `busy` of its slots are taken, `turn` counts when it last got a request."""

    endpoint: Endpoint
    busy: int = 0
    turn: int = 0
    listed: bool = True
    suspect_since_s: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether it may be given a request now."""
        return self.listed and self.suspect_since_s is None and self.busy < self.endpoint.slots


class Lane(Generic[T]):
    """The replicas of one service and the requests, as tickets of any kind, that wait for one.

    `join` a ticket, then take pairs from `match` until there is none; `release` each replica when
    its request is over, and match again.
    """

    def __init__(self, queue_limit: int) -> None:
        self._queue_limit = queue_limit
        self._waiting: deque[T] = deque()
        self._backends: dict[str, Backend] = {}
        self._turn = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a replica."""
        return len(self._waiting)

    @property
    def in_service(self) -> int:
        """Requests at replicas, draining ones included."""
        return sum(backend.busy for backend in self._backends.values())

    @property
    def replicas(self) -> int:
        """Replicas that are listed."""
        return sum(backend.listed for backend in self._backends.values())

    def in_flight(self) -> dict[str, int]:
        """Requests at each replica that is listed or still busy, by its id."""
        return {name: backend.busy for name, backend in self._backends.items()}

    def join(self, ticket: T) -> None:
        """Let `ticket` wait its turn. QueueFull when it could neither start nor wait."""
        if len(self._waiting) >= self._queue_limit and self._least_loaded() is None:
            raise QueueFull(f"no free replica, and {len(self._waiting)} requests wait already")
        self._waiting.append(ticket)

    def rejoin(self, ticket: T) -> None:
        """Put `ticket`, whose replica failed, before all that wait: it has had its turn."""
        self._waiting.appendleft(ticket)

    def leave(self, ticket: T) -> None:
        """Take `ticket` out of the queue, if it is still there."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def match(self) -> tuple[T, Backend] | None:
        """The next ticket and the replica it gets, a slot of which is then taken; None when none can."""
        if not self._waiting or (backend := self._least_loaded()) is None:
            return None
        self._turn += 1
        backend.turn = self._turn
        backend.busy += 1
        return self._waiting.popleft(), backend

    def release(self, backend: Backend) -> None:
        """Give back the slot that `match` took."""
        backend.busy -= 1
        self._forget_if_gone(backend)

    def suspect(self, backend: Backend, now_s: float) -> None:
        """Leave `backend` out: at `now_s` it did not answer."""
        backend.suspect_since_s = now_s

    def list_replicas(self, endpoints: Sequence[Endpoint], now_s: float) -> None:
        """Make `endpoints` the replicas of this lane; known ones keep what they hold."""
        listed = {endpoint.id: endpoint for endpoint in endpoints}
        for name, endpoint in listed.items():
            backend = self._backends.setdefault(name, Backend(endpoint))
            backend.endpoint, backend.listed = endpoint, True
            since_s = backend.suspect_since_s
            if since_s is not None and now_s - since_s >= SUSPECT_S:
                backend.suspect_since_s = None
        for name in self._backends.keys() - listed.keys():
            self._backends[name].listed = False
            self._forget_if_gone(self._backends[name])

    def _least_loaded(self) -> Backend | None:
        free = (backend for backend in self._backends.values() if backend.is_free)
        return min(free, key=lambda backend: (backend.busy, backend.turn), default=None)

    def _forget_if_gone(self, backend: Backend) -> None:
        if not backend.listed and not backend.busy:
            self._backends.pop(backend.endpoint.id, None)


def list_table(lanes: Mapping[str, Lane[T]], table: Mapping[str, Sequence[Endpoint]], now_s: float) -> None:
    """Make `table` the replicas of all lanes: whole or not at all; a lane it leaves out has none.

    ValueError when it names a service that has no lane.
    """
    unknown = sorted(table.keys() - lanes.keys())
    if unknown:
        raise ValueError(f"service {', '.join(unknown)}: not known here; known: {', '.join(sorted(lanes))}")
    for service, lane in lanes.items():
        lane.list_replicas(table.get(service, ()), now_s)
