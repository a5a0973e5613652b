"""The router's table, kept from the agent's side: which replicas take requests, and what they hold.

The table is pushed whole, on every change and every second, so that a restarted router is complete
within a second and a lost push does no harm.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import aiohttp

from barista.values.service import ServiceId

ANSWER_WITHIN_S = 2.0
PUSH_EVERY_S = 1.0
DRAIN_WITHIN_S = 30.0
DRAIN_POLL_S = 0.05


class Route(TypedDict):
    """A replica that takes requests: its id, where to POST them, how many at once."""

    id: str
    url: str
    slots: int


Table = Mapping[ServiceId, Sequence[Route]]


class RouterAdmin:
    """The router's admin API. That the router is away is no error: it is asked again."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._limit = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)

    async def push(self, table: Table) -> bool:
        """Replace the router's whole table; whether it took it."""
        url = f"{self._admin_url}/replicas"
        try:
            async with aiohttp.request("PUT", url, json=table, timeout=self._limit) as answer:
                return answer.ok
        except (aiohttp.ClientError, OSError):
            return False

    async def in_flight(self) -> Mapping[str, int] | None:
        """Requests that each replica holds; None when the router cannot be asked."""
        url = f"{self._admin_url}/in-flight"
        try:
            async with aiohttp.request("GET", url, timeout=self._limit) as answer:
                held: Mapping[str, int] = await answer.json()
                return held if answer.ok else None
        except (aiohttp.ClientError, OSError, ValueError):
            return None


class Routing:
    """Keeps the router's table as `table()` says. `routed` are the replicas that the router knows of."""

    def __init__(self, admin: RouterAdmin, table: Callable[[], Table]) -> None:
        self.routed: frozenset[str] = frozenset()
        self._admin = admin
        self._table = table
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    def changed(self) -> None:
        """The table is another one now."""
        self._changed.set()

    async def run(self) -> None:
        """Push the table on every change and every second, until cancelled."""
        while True:
            await self._push()
            with contextlib.suppress(TimeoutError):
                # Not wait_for, which loses a cancellation that comes together with the event.
                async with asyncio.timeout(PUSH_EVERY_S):
                    await self._changed.wait()

    async def drained(self, replica: str) -> bool:
        """Wait until the router holds nothing for `replica`, which its table no longer lists.

        False when it still did after `DRAIN_WITHIN_S`, or could not be asked.
        """
        deadline = time.monotonic() + DRAIN_WITHIN_S
        unlisted = False
        while time.monotonic() < deadline:
            unlisted = unlisted or await self._push()
            held = await self._admin.in_flight() if unlisted else None
            if held is not None and held.get(replica, 0) == 0:
                return True
            await asyncio.sleep(DRAIN_POLL_S)
        return False

    async def _push(self) -> bool:
        # In turns, and the table taken within the turn: an older one must not overtake a newer one.
        async with self._turn:
            self._changed.clear()
            table = self._table()
            taken = await self._admin.push(table)
            if taken:
                self.routed = frozenset(route["id"] for routes in table.values() for route in routes)
            return taken
