"""A service's queue in virtual time: first come, first served, under a dispatch rule.

With one central queue and c workers it is the textbooks' G/G/c queue: a request begins at the later of
its arrival and the earliest moment a worker is free, and nothing is settled ahead of the clock: who still
waits is there for a worker that joins later. Rules that hand a request to one replica at once leave it there.

How long a request takes hangs on its own luck (a level of the service-time distribution), whoever
works on it and whenever: policies on the same arrivals are compared on the same work.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barista.platforms.simulated import kernel
from barista.platforms.simulated.kernel import FIRST, LAST, LUCK, NEXT, PLACES, REPLICAS, Lane
from barista.values.profile import Distribution
from barista.values.series import FloatArray
from barista.values.service import DispatchRule

ROOM = 16
"""Places and replicas that there is room for at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Requests that began, in that order, as arrays of one length; times are in seconds.

    `request` counts the service's arrivals from 0.
    """

    request: npt.NDArray[np.int64]
    arrived_s: FloatArray
    began_s: FloatArray
    done_s: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen at a moment: requests in flight, and since the beginning of a window the seconds that
    workers worked and the latencies (s) of what was answered."""

    in_flight: int
    busy_s: float
    latencies_s: FloatArray


class FcfsQueue:
    """The queue of one service, played up to where `advance` took it.

    `luck`, shape of `arrivals_s`, is each request's level of the distribution that `service_time` gives
    for a flavor. At most `limit` requests wait (None: any number); who comes then is refused.
    `seed` is the chance of the rules that draw.
    """

    def __init__(
        self,
        arrivals_s: FloatArray,
        luck: FloatArray,
        service_time: Callable[[str], Distribution],
        limit: int | None = None,
        dispatch: DispatchRule = DispatchRule.LEAST_LOADED,
        seed: int = 0,
    ) -> None:
        n = len(arrivals_s)
        self._luck, self._service_time = luck, service_time
        self._limit = n + 1 if limit is None else limit
        self._rule = kernel.RULES[dispatch]
        self._flavors: dict[str, int] = {}
        self._replicas: dict[str, int] = {}
        self._joined = 0
        at = np.zeros(7, dtype=np.int64)
        at[LUCK] = seed + 1
        self._lane = Lane(
            arrived_s=np.ascontiguousarray(arrivals_s, dtype=np.float64),
            times_s=np.empty((0, n)),
            began_s=np.full(n, np.inf),
            done_s=np.full(n, np.inf),
            refused=np.zeros(n, dtype=np.bool_),
            waiting=np.empty(n, dtype=np.int64),
            following=np.empty(n if self._rule else 0, dtype=np.int64),
            free_s=np.empty(ROOM),
            number=np.empty(ROOM, dtype=np.int64),
            owner=np.empty(ROOM, dtype=np.int64),
            flavor=np.zeros(ROOM, dtype=np.int64),
            head=np.zeros(ROOM, dtype=np.int64),
            tail=np.zeros(ROOM, dtype=np.int64),
            queued=np.zeros(ROOM, dtype=np.int64),
            rotation=np.zeros(ROOM, dtype=np.int64),
            longest_s=np.zeros(1),
            at=at,
        )

    def advance(self, to_s: float) -> None:
        """Play every arrival and every beginning up to and including `to_s`."""
        kernel.advance(self._lane, to_s, self._limit, self._rule)

    def join(self, replica: str, flavor: str, workers: int, at_s: float) -> None:
        """`replica` works on `workers` requests at once from `at_s`, to which the queue was advanced."""
        slot = next(k for k in range(len(self._replicas) + 1) if k not in self._replicas.values())
        row, places = self._times_on(flavor), int(self._lane.at[PLACES])
        self._replicas[replica] = slot
        self._make_room(places + workers)
        lane = self._lane
        lane.flavor[slot], lane.queued[slot] = row, 0
        fresh = slice(places, places + workers)
        lane.free_s[fresh], lane.owner[fresh] = at_s, slot
        lane.number[fresh] = self._joined + np.arange(workers)
        self._joined += workers
        self._arrange(np.arange(places + workers))
        if self._rule:
            kernel.hand_over_waiting(lane, at_s, self._rule)

    def change(self, replica: str, flavor: str) -> None:
        """From the next request that it is given on, `replica` works as fast as `flavor` does."""
        self._lane.flavor[self._replicas[replica]] = self._times_on(flavor)

    def leave(self, replica: str) -> float:
        """`replica` takes no further request; the moment its last worker is free."""
        slot, lane = self._replicas.pop(replica), self._lane
        mine = lane.owner[: lane.at[PLACES]] == slot
        free_s = float(lane.free_s[: lane.at[PLACES]][mine].max(initial=-math.inf))
        self._arrange(np.flatnonzero(~mine))
        return free_s

    def arrived(self, until_s: float) -> int:
        """How many requests came up to `until_s`."""
        return int(self._lane.arrived_s.searchsorted(until_s, side="right"))

    def refused(self, until_s: float, from_s: float = -math.inf) -> int:
        """How many requests were refused within ``[from_s, until_s]``."""
        first = int(self._lane.arrived_s.searchsorted(from_s, side="left"))
        return int(np.count_nonzero(self._lane.refused[first : self.arrived(until_s)]))

    def look(self, from_s: float, at_s: float) -> Look:
        """What is seen at `at_s`, to which it was advanced or earlier, over the window since `from_s`."""
        return Look(*kernel.look(self._lane, self._first_open(from_s), from_s, at_s))

    def served(self, from_s: float, until_s: float) -> Served:
        """Requests that began up to `until_s`, less those that were surely done before `from_s`."""
        lane, first = self._lane, self._first_open(from_s)
        began_s = lane.began_s[first : lane.at[NEXT]]
        within = first + np.flatnonzero((began_s <= until_s) & np.isfinite(began_s))
        request = within[np.argsort(lane.began_s[within], kind="stable")]
        return Served(request, lane.arrived_s[request], lane.began_s[request], lane.done_s[request])

    def in_flight(self, at_s: float) -> int:
        """Requests that wait or are worked on at `at_s`."""
        return self.look(at_s, at_s).in_flight

    def latencies_s(self, from_s: float, until_s: float) -> FloatArray:
        """Latency of each request that came within ``[from_s, until_s]``, in order of arrival.

        NaN for one that was refused or still waits.
        """
        lane = self._lane
        came = slice(int(lane.arrived_s.searchsorted(from_s, side="left")), self.arrived(until_s))
        latency_s = lane.done_s[came] - lane.arrived_s[came]
        latency_s[np.isinf(latency_s)] = np.nan
        return latency_s

    def _first_open(self, at_s: float) -> int:
        """The first request that was perhaps not done at `at_s`: it came late enough, or waits."""
        lane, at = self._lane, self._lane.at
        late = int(lane.arrived_s.searchsorted(at_s - lane.longest_s[0], side="left"))
        return min(late, int(lane.waiting[at[FIRST]])) if at[FIRST] < at[LAST] else min(late, int(at[NEXT]))

    def _make_room(self, places: int) -> None:
        """Room for `places`, and for as many replicas."""
        room = len(self._lane.free_s)
        if places > room:
            grown = {
                name: np.concatenate([getattr(self._lane, name), np.zeros_like(getattr(self._lane, name))])
                for name in kernel.GROWING
            }
            self._lane = self._lane._replace(**grown)
            self._make_room(places)

    def _arrange(self, places: npt.NDArray[np.int64]) -> None:
        """Keep `places` only, in order (which makes them a heap), and all replicas that there are."""
        lane = self._lane
        order = places[np.lexsort((lane.number[places], lane.free_s[places]))]
        for row in (lane.free_s, lane.number, lane.owner):
            row[: len(order)] = row[order]
        lane.rotation[: len(self._replicas)] = list(self._replicas.values())
        lane.at[PLACES], lane.at[REPLICAS] = len(order), len(self._replicas)

    def _times_on(self, flavor: str) -> int:
        """The row of `times_s` for `flavor`."""
        if flavor not in self._flavors:
            distribution = self._service_time(flavor)
            times_s = np.interp(self._luck, distribution.levels, distribution.values_s)
            self._flavors[flavor] = len(self._flavors)
            self._lane = self._lane._replace(times_s=np.vstack([self._lane.times_s, times_s]))
        return self._flavors[flavor]
