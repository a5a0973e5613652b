"""The way of a request through one service of the protocol: router, head queue, dispatch, replica, router.

Events are played in the order of time, compiled: some millions of requests a run. Every chance of a
request is drawn before the run by its number, so that all policies meet the same requests.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HEAD_LIMIT = 50
"""Requests waiting in the head queue above which one more is refused."""
NO_HEAD_QUEUE = -1
"""The bound at which nobody waits there: who finds no place at a replica is refused."""
IN_REPLICA = 4
"""Requests a replica holds: one in service, three waiting."""
SLOTS = 128
"""Replicas that a service can have at one time, those that finish what they hold included."""
HEAD_SLOTS = 64
NOBODY = -1

NOW, ROUTER_FREE = range(2)
(NEXT, ROUTER_FIRST, ROUTER_LAST, HEAD_FIRST, WAITING, IN_HAND, IN_ROTATION, TURN, LUCK, LIMIT, TOP) = range(
    11
)


class Queueing(NamedTuple):
    """One service: its requests, their chances, what became of them, and who is where now.

    `arrivals_s`, `way_in_s`, `way_out_s`, `service_s` have one value per request; `left_s` is when its answer
    left (NaN: not yet), `refused` whether it was. `ended` and `ended_latency_s` (a sum) count by second.
    """

    arrivals_s: Floats
    way_in_s: Floats
    way_out_s: Floats
    service_s: Floats
    left_s: Floats
    refused: npt.NDArray[np.bool_]
    ended: Ints
    ended_latency_s: Floats
    router_until_s: Floats
    router_request: Ints
    head: Ints
    held: Ints
    held_count: Ints
    finish_s: Floats
    rotation: Ints
    clock: Floats
    at: Ints

    @property
    def in_flight(self) -> int:
        """Requests sent and not yet answered."""
        at = self.at
        held = int(self.held_count.sum()) + (at[IN_HAND] != NOBODY)
        return int(at[ROUTER_LAST] - at[ROUTER_FIRST] + at[WAITING] + held)

    def is_empty(self, replica: int) -> bool:
        """Whether the replica in that slot holds nothing."""
        return bool(self.held_count[replica] == 0)


def queueing(arrivals_s: Floats, chance: np.random.Generator, seconds: int) -> Queueing:
    """A service without replicas that will be sent `arrivals_s`; counts go over `seconds`."""
    count = len(arrivals_s)
    at = np.zeros(11, np.int64)
    at[IN_HAND], at[LUCK], at[LIMIT] = NOBODY, chance.integers(1, 2**31), HEAD_LIMIT
    return Queueing(
        arrivals_s=arrivals_s,
        way_in_s=router_times_s(chance, count),
        way_out_s=router_times_s(chance, count),
        service_s=service_times_s(chance, count),
        left_s=np.full(count, np.nan),
        refused=np.zeros(count, np.bool_),
        ended=np.zeros(seconds, np.int64),
        ended_latency_s=np.zeros(seconds),
        router_until_s=np.zeros(2 * count + 1),
        router_request=np.zeros(2 * count + 1, np.int64),
        head=np.zeros(HEAD_SLOTS, np.int64),
        held=np.zeros((SLOTS, IN_REPLICA), np.int64),
        held_count=np.zeros(SLOTS, np.int64),
        finish_s=np.full(SLOTS, np.inf),
        rotation=np.zeros(SLOTS, np.int64),
        clock=np.zeros(2),
        at=at,
    )


def router_times_s(chance: np.random.Generator, count: int) -> Floats:
    """What the router spends on a request, each way."""
    times_s: Floats = 3.48533e-3 + 0.987812e-3 * np.exp(0.480784 * chance.standard_normal(count))
    return times_s


def service_times_s(chance: np.random.Generator, count: int) -> Floats:
    """What a replica spends on a request."""
    times_s: Floats = 79.3016e-3 + 68.5808e-3 * np.exp(0.422471 * chance.standard_normal(count))
    return times_s


@numba.njit(cache=True)
def join(q: Queueing, replica: int, now_s: float) -> None:
    """The replica in slot `replica` serves from `now_s` on."""
    q.rotation[q.at[IN_ROTATION]] = replica
    q.at[IN_ROTATION] += 1
    q.at[TOP] = max(q.at[TOP], replica + 1)
    _shuffle(q)
    _dispatch(q, now_s)


@numba.njit(cache=True)
def leave(q: Queueing, replica: int) -> None:
    """The replica in slot `replica` gets no more requests; it finishes those that it holds."""
    kept = 0
    for k in range(q.at[IN_ROTATION]):
        if q.rotation[k] != replica:
            q.rotation[kept] = q.rotation[k]
            kept += 1
    q.at[IN_ROTATION] = kept
    _shuffle(q)


@numba.njit(cache=True)
def advance(q: Queueing, to_s: float) -> None:
    """Play everything up to and including `to_s`."""
    at, clock = q.at, q.clock
    while True:
        arrival_s = q.arrivals_s[at[NEXT]] if at[NEXT] < len(q.arrivals_s) else np.inf
        routed_s = q.router_until_s[at[ROUTER_FIRST]] if at[ROUTER_FIRST] < at[ROUTER_LAST] else np.inf
        replica, served_s = NOBODY, np.inf
        for slot in range(at[TOP]):
            if q.finish_s[slot] < served_s:
                replica, served_s = slot, q.finish_s[slot]
        now_s = min(arrival_s, routed_s, served_s)
        if now_s > to_s or now_s == np.inf:
            break
        clock[NOW] = now_s
        if now_s == arrival_s:
            _route(q, at[NEXT], q.way_in_s[at[NEXT]], now_s, False)
            at[NEXT] += 1
        elif now_s == routed_s:
            _routed(q, now_s)
        else:
            _served(q, replica, now_s)
    clock[NOW] = to_s


@numba.njit(cache=True)
def _route(q: Queueing, request: int, takes_s: float, now_s: float, out: bool) -> None:
    """`request` joins the router's queue, on its way in or `out`."""
    at, clock = q.at, q.clock
    clock[ROUTER_FREE] = max(clock[ROUTER_FREE], now_s) + takes_s
    q.router_until_s[at[ROUTER_LAST]] = clock[ROUTER_FREE]
    # The way is told by the sign, so that one queue holds both.
    q.router_request[at[ROUTER_LAST]] = -request - 1 if out else request
    at[ROUTER_LAST] += 1


@numba.njit(cache=True)
def _routed(q: Queueing, now_s: float) -> None:
    at = q.at
    request = q.router_request[at[ROUTER_FIRST]]
    at[ROUTER_FIRST] += 1
    if request < 0:
        request = -request - 1
        q.left_s[request] = now_s
        second = min(int(now_s), len(q.ended) - 1)
        q.ended[second] += 1
        q.ended_latency_s[second] += now_s - q.arrivals_s[request]
    elif at[WAITING] > at[LIMIT] and (at[LIMIT] > NO_HEAD_QUEUE or not _has_place(q)):
        q.refused[request] = True
        _route(q, request, q.way_out_s[request], now_s, True)
    else:
        q.head[(at[HEAD_FIRST] + at[WAITING]) % HEAD_SLOTS] = request
        at[WAITING] += 1
        _dispatch(q, now_s)


@numba.njit(cache=True)
def _has_place(q: Queueing) -> bool:
    """Whether a replica in rotation can take one more request."""
    return bool((q.held_count[q.rotation[: q.at[IN_ROTATION]]] < IN_REPLICA).any())


@numba.njit(cache=True)
def _dispatch(q: Queueing, now_s: float) -> None:
    """Hand waiting requests to replicas, round robin over those that have a place left."""
    at = q.at
    while True:
        if at[IN_HAND] == NOBODY:
            if at[WAITING] == 0:
                return
            at[IN_HAND] = q.head[at[HEAD_FIRST]]
            at[HEAD_FIRST] = (at[HEAD_FIRST] + 1) % HEAD_SLOTS
            at[WAITING] -= 1
        found = NOBODY
        for k in range(at[IN_ROTATION]):
            place = (at[TURN] + k) % at[IN_ROTATION]
            if q.held_count[q.rotation[place]] < IN_REPLICA:
                found = q.rotation[place]
                at[TURN] = (place + 1) % at[IN_ROTATION]
                break
        if found == NOBODY:
            return
        request = at[IN_HAND]
        at[IN_HAND] = NOBODY
        q.held[found, q.held_count[found]] = request
        q.held_count[found] += 1
        if q.held_count[found] == 1:
            q.finish_s[found] = now_s + q.service_s[request]


@numba.njit(cache=True)
def _served(q: Queueing, replica: int, now_s: float) -> None:
    request = q.held[replica, 0]
    q.held_count[replica] -= 1
    for k in range(q.held_count[replica]):
        q.held[replica, k] = q.held[replica, k + 1]
    busy = q.held_count[replica] > 0
    q.finish_s[replica] = now_s + q.service_s[q.held[replica, 0]] if busy else np.inf
    _route(q, request, q.way_out_s[request], now_s, True)
    _dispatch(q, now_s)


@numba.njit(cache=True)
def _shuffle(q: Queueing) -> None:
    """A fresh order of the rotation, begun anew. Knuth's 64-bit linear congruential generator."""
    at = q.at
    for k in range(at[IN_ROTATION] - 1, 0, -1):
        at[LUCK] = at[LUCK] * 6364136223846793005 + 1442695040888963407
        other = ((at[LUCK] >> 33) & 0x3FFFFFFF) % (k + 1)
        q.rotation[k], q.rotation[other] = q.rotation[other], q.rotation[k]
    at[TURN] = 0
