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
from barista_plugins.packed import Packed, most_variables
from barista_plugins.search import search
from barista_plugins.service_variables import usage

Amounts = npt.NDArray[np.float64]
BATCH = 8
"""Services that a thread takes at a time at most: few enough to stop in time."""
BATCHES = 8
"""Batches for each thread at least, where there are services enough: they share uneven work evenly."""


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
        self._variables = most_variables(arrays)
        self._threads = len(os.sched_getaffinity(0))

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

        size = max(1, min(BATCH, count // (self._threads * BATCHES)))

        def batch(first: int) -> None:
            if budget.is_spent:
                return
            some = slice(first, first + size)
            _search_some(
                self._arrays, given[some], prices, room, nodes[some], gap[some], known[some],
                found.bound[some], found.cost[some], found.plan[some], found.relaxed[some],
                found.held[some], found.relaxed_held[some],
            )  # fmt: skip

        starts = range(0, count, size)
        if min(self._threads, count) <= 1:
            for first in starts:
                batch(first)
        else:
            with ThreadPoolExecutor(self._threads) as threads:
                list(threads.map(batch, starts))
        return found
