"""Many services planned at once: the compiled search in as many threads as there are cores to use."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from barista_plugins.cbc import Budget
from barista_plugins.compiled import compiled_entry
from barista_plugins.packed import Packed
from barista_plugins.search import search, usage

Amounts = npt.NDArray[np.float64]
BATCH = 8
"""Services that a thread takes at a time: few enough to stop in time and to share the work evenly."""


@dataclass(frozen=True, slots=True)
class Found:
    """What searching found for some services; rows as in the list of services asked for.

    `bound` and `cost` (prices included; infinite: no plan found), the variables of `plan` and `relaxed`, and
    what both hold of the pools (services, R, T). `bound` is -infinity where time was over.
    """

    bound: Amounts
    cost: Amounts
    plan: Amounts
    relaxed: Amounts
    held: Amounts
    relaxed_held: Amounts


@compiled_entry
def _search_some(
    p: Packed,
    services: Any,
    prices: Any,
    room: Any,
    nodes: Any,
    gap: Any,
    known: Any,
    bound: Any,
    cost: Any,
    plan: Any,
    relaxed: Any,
    held: Any,
    relaxed_held: Any,
) -> None:
    for i in range(services.shape[0]):
        s = services[i]
        bound[i], cost[i] = search(p, s, prices, room, nodes[i], gap[i], known[i], plan[i], relaxed[i])
        usage(p, s, plan[i], held[i])
        usage(p, s, relaxed[i], relaxed_held[i])


class Crew:
    """Searches services of a packed problem, several at a time."""

    def __init__(self, arrays: Packed) -> None:
        self._arrays = arrays
        self._variables = (2 * int(np.diff(arrays.first).max(initial=0)) + 1) * arrays.demand.shape[1]
        self._threads = min(len(os.sched_getaffinity(0)), -(-len(arrays.lost) // BATCH))

    def search(
        self,
        services: Sequence[int] | npt.NDArray[np.int64],
        prices: Amounts,
        room: Amounts,
        nodes: npt.NDArray[np.int64],
        gap: Amounts,
        known: Amounts,
        budget: Budget,
    ) -> Found:
        """Search `services` at `prices` (R, T) within `room` (R, T); other arrays by service."""
        count, held = len(services), (len(services), *prices.shape)
        found = Found(
            bound=np.full(count, -np.inf),
            cost=np.full(count, np.inf),
            plan=np.zeros((count, self._variables)),
            relaxed=np.zeros((count, self._variables)),
            held=np.zeros(held),
            relaxed_held=np.zeros(held),
        )
        given = np.asarray(services, np.int64)

        def batch(first: int) -> None:
            if budget.is_spent:
                return
            some = slice(first, first + BATCH)
            _search_some(
                self._arrays, given[some], prices, room, nodes[some], gap[some], known[some],
                found.bound[some], found.cost[some], found.plan[some], found.relaxed[some],
                found.held[some], found.relaxed_held[some],
            )  # fmt: skip

        starts = range(0, count, BATCH)
        if self._threads <= 1:
            for first in starts:
                batch(first)
        else:
            with ThreadPoolExecutor(self._threads) as threads:
                list(threads.map(batch, starts))
        return found


def warm_up() -> None:
    """Have the compiled search ready: loaded, or compiled where it never was."""
    nothing, no_count = np.zeros(1), np.zeros(1, np.int64)
    arrays = Packed(
        first=np.array([0, 1]),
        rps=np.ones(1),
        setup=no_count,
        hold=no_count,
        most=nothing,
        step_cost=nothing,
        takes=np.zeros((1, 1)),
        stuck=np.zeros((1, 1)),
        stuck_ready=np.zeros((1, 1)),
        freed=np.zeros((1, 1)),
        demand=np.zeros((1, 1)),
        lost=nothing,
        switching=nothing,
        minimum=nothing,
        maximum=nothing,
        binds_from=no_count,
    )
    nowhere = np.zeros((1, 1))
    once = np.ones(1, np.int64)
    Crew(arrays).search([0], nowhere, nowhere, once, nothing, nothing, Budget(None, 0.0, None))
