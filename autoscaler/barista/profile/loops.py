"""The two ways of loading a server, and when it is warm.

In a closed loop so many clients each send the next request once the last is answered: with no more clients
than workers nothing queues, and what is seen is service time. In an open loop requests come at a rate,
whatever became of the earlier ones: what is seen is how long they stay, and whether the server keeps up.
"""

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import numpy as np

ALIKE = 0.1
"""Successive batches whose medians differ by less are the same."""
MOST_BATCHES = 12
BEHIND = 0.85
"""A server that has ended less than this share of the requests when the last one comes does not keep up."""


class Answering(Protocol):
    """A server that answers."""

    async def ask(self) -> float:
        """Seconds until one request is answered."""
        ...


@dataclass(frozen=True, slots=True)
class Ramp:
    """What came of one rate: how long each request stayed (s), in order, and whether the server kept up."""

    times_s: tuple[float, ...]
    kept_up: bool


async def warm_up(server: Answering, clients: int, batch: int) -> int:
    """Send batches of `batch` requests until two in a row take the same; how many batches it took."""
    before: float | None = None
    for sent in range(1, MOST_BATCHES + 1):
        now = median(await closed_loop(server, clients, 0.0, batch, batch))
        if before is not None and abs(now - before) <= ALIKE * before:
            return sent
        before = now
    return MOST_BATCHES


async def closed_loop(
    server: Answering, clients: int, seconds: float, at_least: int, at_most: int
) -> list[float]:
    """Times of the requests that `clients` send within `seconds`: `at_least` and `at_most` so many."""
    end = time.monotonic() + seconds
    times_s: list[float] = []
    sent = 0

    async def client() -> None:
        nonlocal sent
        while sent < at_most and (sent < at_least or time.monotonic() < end):
            sent += 1
            times_s.append(await server.ask())

    await asyncio.gather(*(client() for _ in range(clients)))
    return times_s


def arrivals_s(rps: float, requests: int, seed: int = 0) -> list[float]:
    """When `requests` come (s), by a Poisson process of rate `rps`.

    The times between them are an exponential distribution's quantiles in random order: a few hundred drawn
    freely would come at a rate that is some per cent off.
    """
    luck = (np.random.default_rng(seed).permutation(requests) + 0.5) / requests
    times_s: list[float] = np.cumsum(-np.log1p(-luck) / rps).tolist()
    return times_s


async def open_loop(server: Answering, rps: float, seconds: float, seed: int = 0) -> Ramp:
    """Requests at `rps` by a Poisson process for `seconds`; ends when the last one is answered."""
    begun = time.monotonic()
    tasks: list[asyncio.Task[tuple[float, float]]] = []
    for after_s in arrivals_s(rps, max(10, round(rps * seconds)), seed):
        due_s = begun + after_s
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        tasks.append(asyncio.create_task(_one(server, due_s)))
    last_s = time.monotonic()
    ended = await asyncio.gather(*tasks)
    by_then = sum(end_s <= last_s for _, end_s in ended)
    return Ramp(tuple(took_s for took_s, _ in ended), by_then >= BEHIND * len(ended))


async def _one(server: Answering, due_s: float) -> tuple[float, float]:
    await server.ask()
    end_s = time.monotonic()
    return end_s - due_s, end_s
