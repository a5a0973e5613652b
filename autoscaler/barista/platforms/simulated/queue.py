"""A service's queue in virtual time: first come, first served, by the worker that is free first.

All replicas draw from one central queue. That is what least-loaded dispatch comes to when
replicas are alike, and with c workers it is the textbooks' M/G/c queue. A request begins at the
later of its arrival and the earliest moment a worker is free, so a heap of those moments is the
whole state. Nothing is settled ahead of the clock: who still waits is there for a worker that
joins later.

How long a request takes hangs on its own luck (a level of the service-time distribution), whoever
works on it and whenever: policies on the same arrivals are compared on the same work.
"""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from heapq import heapify, heappush, heapreplace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from barista.values.profile import Distribution
from barista.values.series import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Requests that began, in that order, as arrays of one length; times are in seconds.

    `request` counts the service's arrivals from 0.
    """

    request: npt.NDArray[np.int64]
    arrived_s: FloatArray
    began_s: FloatArray
    done_s: FloatArray


@dataclass(slots=True, eq=False)
class _Server:
    """A replica as the queue sees it: what each request would take on its flavor."""

    replica: str
    times_s: MutableSequence[float]


_Place = tuple[float, int, _Server]
"""One worker: the moment it is free, a number to tell equals apart, whose it is."""

_NOBODY: _Place = (math.inf, -1, _Server("", []))


class FcfsQueue:
    """The queue of one service, played up to where `advance` took it.

    `luck`, shape of `arrivals_s`, is each request's level of the distribution that `service_time` gives
    for a flavor. At most `limit` requests wait (None: any number); who comes then is refused.
    """

    def __init__(
        self,
        arrivals_s: FloatArray,
        luck: FloatArray,
        service_time: Callable[[str], Distribution],
        limit: int | None = None,
    ) -> None:
        n = len(arrivals_s)
        self._arrived = np.ascontiguousarray(arrivals_s, dtype=np.float64)
        self._luck, self._service_time, self._limit = luck, service_time, limit
        self._times: dict[str, MutableSequence[float]] = {}
        self._longest_s = 0.0
        self._places: list[_Place] = [_NOBODY]  # a heap; Nobody keeps it from running empty
        self._joined = 0
        self._waiting: deque[int] = deque()
        self._next = 0
        self._refused: list[float] = []
        self._request = np.empty(n, dtype=np.int64)
        self._began, self._done = np.empty(n), np.empty(n)
        self._begun = 0

    def advance(self, to_s: float) -> None:
        """Play every arrival and every beginning up to and including `to_s`."""
        end = self.arrived(to_s)
        came = range(self._next, end)
        self._next = max(end, self._next)
        if self._limit is None:
            self._waiting.extend(came)
        else:
            self._admit(came, self._limit)
        self._begin(to_s)

    def join(self, replica: str, flavor: str, workers: int, at_s: float) -> None:
        """`replica` works on `workers` requests at once from `at_s`, to which the queue was advanced."""
        server = _Server(replica, self._times_on(flavor))
        for _ in range(workers):
            self._joined += 1
            heappush(self._places, (at_s, self._joined, server))

    def change(self, replica: str, flavor: str) -> None:
        """From its next request on, `replica` works as fast as `flavor` does."""
        for _, _, server in self._places:
            if server.replica == replica:
                server.times_s = self._times_on(flavor)

    def leave(self, replica: str) -> float:
        """`replica` takes no further request; the moment its last worker is free (-inf: it had none)."""
        free_s = max((at for at, _, server in self._places if server.replica == replica), default=-math.inf)
        self._places = [place for place in self._places if place[2].replica != replica]
        heapify(self._places)
        return free_s

    def arrived(self, until_s: float) -> int:
        """How many requests came up to `until_s`."""
        return int(np.searchsorted(self._arrived, until_s, side="right"))

    def refused(self, until_s: float, from_s: float = -math.inf) -> int:
        """How many requests were refused within ``[from_s, until_s]``."""
        return bisect_right(self._refused, until_s) - bisect_left(self._refused, from_s)

    def served(self, from_s: float, until_s: float) -> Served:
        """Requests that began up to `until_s`, less those that were surely done before `from_s`."""
        first = self._surely_done(from_s)
        last = int(np.searchsorted(self._began[: self._begun], until_s, side="right"))
        request = self._request[first:last]
        return Served(request, self._arrived[request], self._began[first:last], self._done[first:last])

    def in_flight(self, at_s: float) -> int:
        """Requests that wait or are worked on at `at_s`."""
        done = self._surely_done(at_s) + int(np.count_nonzero(self.served(at_s, at_s).done_s <= at_s))
        return self.arrived(at_s) - self.refused(at_s) - done

    def latencies_s(self, from_s: float, until_s: float) -> FloatArray:
        """Latency of each request that came within ``[from_s, until_s]``, in order of arrival.

        NaN for one that was refused or still waits.
        """
        latency_s = np.full(len(self._arrived), np.nan)
        request = self._request[: self._begun]
        latency_s[request] = self._done[: self._begun] - self._arrived[request]
        return latency_s[np.searchsorted(self._arrived, from_s, side="left") : self.arrived(until_s)]

    def _admit(self, came: range, limit: int) -> None:
        times_s = _plain(self._arrived)
        for request in came:
            arrived_s = times_s[request]
            self._begin(arrived_s)
            if len(self._waiting) < limit or self._places[0][0] <= arrived_s:
                self._waiting.append(request)
            else:
                self._refused.append(arrived_s)

    def _begin(self, until_s: float) -> None:
        """Whoever waits begins, as workers become free up to `until_s`. The simulation's inner loop."""
        places, waiting, n = self._places, self._waiting, self._begun
        arrivals, requests = _plain(self._arrived), _plain(self._request)
        began, done = _plain(self._began), _plain(self._done)
        while waiting and places[0][0] <= until_s:
            request = waiting.popleft()
            free_s, number, server = places[0]
            arrived_s = arrivals[request]
            begin_s = free_s if free_s > arrived_s else arrived_s
            done_s = begin_s + server.times_s[request]
            requests[n], began[n], done[n] = request, begin_s, done_s
            n += 1
            heapreplace(places, (done_s, number, server))
        self._begun = n

    def _surely_done(self, by_s: float) -> int:
        # Requests begin in order, and none takes longer than the longest time there is.
        return int(np.searchsorted(self._began[: self._begun], by_s - self._longest_s, side="left"))

    def _times_on(self, flavor: str) -> MutableSequence[float]:
        if flavor not in self._times:
            distribution = self._service_time(flavor)
            times_s = np.interp(self._luck, distribution.levels, distribution.values_s)
            self._times[flavor] = _plain(times_s)
            self._longest_s = max(self._longest_s, distribution.values_s[-1])
        return self._times[flavor]


def _plain(array: npt.NDArray[Any]) -> MutableSequence[Any]:
    """The same memory, read and written as plain numbers: several times faster one by one."""
    return cast("MutableSequence[Any]", array.data)
