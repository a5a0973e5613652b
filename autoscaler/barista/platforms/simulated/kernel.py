"""A queue's inner loop, compiled: who begins when, request by request, in the order of their arrival.

Two kinds of dispatch. From a central queue whoever waits longest goes to the worker that is free first:
what least-loaded dispatch comes to when replicas are alike, the textbooks' G/G/c queue. Under the other
rules a request is handed to one replica when it comes, and waits there whatever the others do; only where
there is no replica at all it waits for one. How it will fare is then settled at once.

Compiled with numba (the extra `simulate`), and kept on disk for the next start.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from barista.values.series import FloatArray
from barista.values.service import DispatchRule

IntArray = npt.NDArray[np.int64]
RULES = {
    DispatchRule.LEAST_LOADED: 0,
    DispatchRule.FIRST_FREE: 0,
    DispatchRule.ROUND_ROBIN: 1,
    DispatchRule.RANDOM: 2,
    DispatchRule.TWO_CHOICES: 3,
}
CENTRAL, ROUND_ROBIN, RANDOM = range(3)
NEXT, FIRST, LAST, PLACES, REPLICAS, TURN, LUCK = range(7)
"""Of `Lane.at`: the next arrival; the first that waits and the one after the last; how many places and
replicas there are; the next replica in turn; the state of chance."""
NOBODY = -1


class Lane(NamedTuple):
    """One service: its requests, what became of them, and who works.

    By request: `arrived_s`, `began_s` and `done_s` (inf: not yet), `refused`. `waiting` holds those that
    ever waited, in order; `following` chains those that wait at one replica. `times_s[flavor, request]` is
    what a request takes. A place is a worker: the moment it is free, its number, its replica; under a central
    queue they are a heap. By replica: `flavor`, the `head` and `tail` of its chain, its `queued`; `rotation`
    names those that serve. `longest_s` is the longest latency so far.
    """

    arrived_s: FloatArray
    times_s: FloatArray
    began_s: FloatArray
    done_s: FloatArray
    refused: npt.NDArray[np.bool_]
    waiting: IntArray
    following: IntArray
    free_s: FloatArray
    number: IntArray
    owner: IntArray
    flavor: IntArray
    head: IntArray
    tail: IntArray
    queued: IntArray
    rotation: IntArray
    longest_s: FloatArray
    at: IntArray


GROWING = ("free_s", "number", "owner", "flavor", "head", "tail", "queued", "rotation")
"""The fields of `Lane` that grow with the number of places."""


@numba.njit(cache=True)
def advance(lane: Lane, to_s: float, limit: int, rule: int) -> None:
    """Play every arrival and every beginning up to and including `to_s`; at most `limit` requests wait."""
    at, arrived_s = lane.at, lane.arrived_s
    while at[NEXT] < len(arrived_s) and arrived_s[at[NEXT]] <= to_s:
        request = at[NEXT]
        at[NEXT] += 1
        now_s = arrived_s[request]
        if rule == CENTRAL:
            _begin(lane, now_s)
            idle = at[PLACES] > 0 and lane.free_s[0] <= now_s
            admitted = idle or at[LAST] - at[FIRST] < limit
        elif at[REPLICAS] == 0:
            admitted = at[LAST] - at[FIRST] < limit
        else:
            admitted = _hand_over(lane, request, now_s, limit, rule)
            if admitted:
                continue
        if admitted:
            lane.waiting[at[LAST]] = request
            at[LAST] += 1
        else:
            lane.refused[request] = True
    if rule == CENTRAL:
        _begin(lane, to_s)


@numba.njit(cache=True)
def hand_over_waiting(lane: Lane, now_s: float, rule: int) -> None:
    """Who waited for a first replica goes to those that there are now."""
    at = lane.at
    while at[REPLICAS] > 0 and at[FIRST] < at[LAST]:
        request = lane.waiting[at[FIRST]]
        at[FIRST] += 1
        _hand_over(lane, request, now_s, len(lane.arrived_s), rule)


@numba.njit(cache=True)
def look(lane: Lane, first: int, from_s: float, at_s: float) -> tuple[int, float, FloatArray]:
    """What is seen at `at_s` of the requests from `first` on: how many are in flight, the seconds worked
    since `from_s`, and the latencies of those answered since."""
    in_flight, busy_s, count = 0, 0.0, 0
    latencies_s = np.empty(lane.at[NEXT] - first)
    for i in range(first, lane.at[NEXT]):
        if lane.arrived_s[i] > at_s:
            break
        done_s = lane.done_s[i]
        if done_s > at_s:
            in_flight += not lane.refused[i]
        elif done_s > from_s:
            latencies_s[count] = done_s - lane.arrived_s[i]
            count += 1
        busy_s += max(0.0, min(done_s, at_s) - max(lane.began_s[i], from_s))
    return in_flight, busy_s, latencies_s[:count]


@numba.njit(cache=True)
def _begin(lane: Lane, until_s: float) -> None:
    """Whoever waits in the central queue begins, as workers become free up to `until_s`."""
    at, free_s = lane.at, lane.free_s
    while at[FIRST] < at[LAST] and at[PLACES] > 0 and free_s[0] <= until_s:
        request = lane.waiting[at[FIRST]]
        at[FIRST] += 1
        begin_s = max(free_s[0], lane.arrived_s[request])
        done_s = begin_s + lane.times_s[lane.flavor[lane.owner[0]], request]
        lane.began_s[request], lane.done_s[request] = begin_s, done_s
        lane.longest_s[0] = max(lane.longest_s[0], done_s - lane.arrived_s[request])
        _sift(lane, done_s)


@numba.njit(cache=True)
def _sift(lane: Lane, free_s: float) -> None:
    """The place at the root of the heap is free at `free_s` instead; among equals the older comes first."""
    count, number, owner = lane.at[PLACES], lane.number[0], lane.owner[0]
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= count:
            break
        if child + 1 < count and _before(
            lane.free_s[child + 1], lane.number[child + 1], lane.free_s[child], lane.number[child]
        ):
            child += 1
        if not _before(lane.free_s[child], lane.number[child], free_s, number):
            break
        lane.free_s[hole], lane.number[hole], lane.owner[hole] = (
            lane.free_s[child],
            lane.number[child],
            lane.owner[child],
        )
        hole = child
    lane.free_s[hole], lane.number[hole], lane.owner[hole] = free_s, number, owner


@numba.njit(cache=True)
def _before(one_s: float, one: int, other_s: float, other: int) -> bool:
    return one_s < other_s or (one_s == other_s and one < other)


@numba.njit(cache=True)
def _hand_over(lane: Lane, request: int, now_s: float, limit: int, rule: int) -> bool:
    """Give `request` to a replica by the rule; False when it would wait and enough already do."""
    replica, total = _chosen(lane, now_s, rule), 0
    for k in range(lane.at[REPLICAS]):
        _forget_begun(lane, lane.rotation[k], now_s)
        total += lane.queued[lane.rotation[k]]
    place = NOBODY
    for k in range(lane.at[PLACES]):
        if lane.owner[k] == replica and (place == NOBODY or lane.free_s[k] < lane.free_s[place]):
            place = k
    if lane.free_s[place] > now_s:
        if total >= limit:
            return False
        lane.following[request] = NOBODY
        if lane.queued[replica] > 0:
            lane.following[lane.tail[replica]] = request
        else:
            lane.head[replica] = request
        lane.tail[replica] = request
        lane.queued[replica] += 1
    begin_s = max(now_s, lane.free_s[place])
    lane.began_s[request] = begin_s
    lane.done_s[request] = begin_s + lane.times_s[lane.flavor[replica], request]
    lane.free_s[place] = lane.done_s[request]
    lane.longest_s[0] = max(lane.longest_s[0], lane.done_s[request] - lane.arrived_s[request])
    return True


@numba.njit(cache=True)
def _chosen(lane: Lane, now_s: float, rule: int) -> int:
    at, replicas = lane.at, lane.at[REPLICAS]
    if rule == ROUND_ROBIN:
        at[TURN] = (at[TURN] + 1) % replicas
        return int(lane.rotation[at[TURN]])
    one = _drawn(lane, replicas)
    if rule == RANDOM or replicas == 1:
        return int(lane.rotation[one])
    other = _drawn(lane, replicas - 1)
    if other >= one:
        other += 1
    a, b = lane.rotation[one], lane.rotation[other]
    return int(b if _in_flight(lane, b, now_s) < _in_flight(lane, a, now_s) else a)


@numba.njit(cache=True)
def _in_flight(lane: Lane, replica: int, now_s: float) -> int:
    _forget_begun(lane, replica, now_s)
    count = lane.queued[replica]
    for k in range(lane.at[PLACES]):
        count += lane.owner[k] == replica and lane.free_s[k] > now_s
    return int(count)


@numba.njit(cache=True)
def _forget_begun(lane: Lane, replica: int, now_s: float) -> None:
    while lane.queued[replica] > 0 and lane.began_s[lane.head[replica]] <= now_s:
        lane.head[replica] = lane.following[lane.head[replica]]
        lane.queued[replica] -= 1


@numba.njit(cache=True)
def _drawn(lane: Lane, below: int) -> int:
    """A number below `below`. Knuth's 64-bit linear congruential generator."""
    lane.at[LUCK] = lane.at[LUCK] * 6364136223846793005 + 1442695040888963407
    return int(((lane.at[LUCK] >> 33) & 0x3FFFFFFF) % below)
