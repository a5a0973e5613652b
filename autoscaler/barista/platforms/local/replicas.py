"""A replica's life: starting, serving, leaving, and what can go wrong in between.

A replica that is starting gets the cpu of its family's largest flavor, so that its set-up takes as
long as was profiled whichever flavor it is to have; from then on it has its flavor's.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from barista.platforms.local.routing import Route
from barista.platforms.local.server import ServerProcess
from barista.values.flavor import Catalogue
from barista.values.replica import Phase, Replica

START_WITHIN_S = 180.0
START_POLL_S = 0.1
EXIT_POLL_S = 0.1
LOOK_EVERY_S = 1.0
LOOKS_LOST = 2
"""Looks in a row that find no ready worker until a replica is given up: one look may be answered late."""


class ReplicaFault(Exception):
    """A replica failed unasked; the message says how, and what its server said last."""


class LocalReplica:
    """One replica. `seen` is what the platform tells of it; `changed` is called when it has changed."""

    def __init__(
        self, seen: Replica, process: ServerProcess, catalogue: Catalogue, changed: Callable[[], None]
    ) -> None:
        self.seen = seen
        self.process = process
        self._catalogue = catalogue
        self._changed = changed
        self._doubted = False
        self._leave = asyncio.Event()

    @property
    def route(self) -> Route | None:
        """Its line in the router's table; None while it takes no requests."""
        if self.seen.phase is not Phase.READY or self._doubted:
            return None
        return Route(id=self.seen.id, url=self.process.url, slots=self.process.launch.workers)

    def view(self, now_s: float) -> Replica:
        """`seen`, where a replica that is late is expected any moment, and not in the past."""
        expected_s = self.seen.ready_at_s
        if self.seen.phase is Phase.STARTING and expected_s is not None:
            return replace(self.seen, ready_at_s=max(expected_s, now_s))
        return self.seen

    def resize(self, flavor: str) -> None:
        """Change to `flavor` in place; while starting, only what it will be."""
        self.seen = replace(self.seen, flavor=flavor)
        if self.seen.phase is Phase.READY:
            self.process.limit(self._catalogue.flavor(flavor).cpu)
        self._changed()

    def leave(self) -> None:
        """Take no new requests, and end as soon as there are none."""
        self.seen = replace(self.seen, phase=Phase.DRAINING)
        self._leave.set()
        self._changed()

    async def bring_up(self) -> bool:
        """Start, and wait until ready; False when it was told to leave before.

        StartError when it cannot be started, ReplicaFault when it ends or is not ready in time.
        """
        await self.process.start(self._largest_cpu())
        self._changed()
        deadline = time.monotonic() + START_WITHIN_S
        while not self._leave.is_set():
            if await self.process.is_ready():
                return self._begin_to_serve()
            if self.process.ended:
                raise self._fault("ended while starting")
            if time.monotonic() > deadline:
                raise self._fault(f"not ready within {START_WITHIN_S:g} s")
            await self._pause(START_POLL_S)
        return False

    async def serve(self) -> None:
        """Watch over it until it is told to leave. ReplicaFault when it ends or its workers are lost."""
        lost, look_at = 0, time.monotonic() + LOOK_EVERY_S
        while not self._leave.is_set():
            if self.process.ended:
                raise self._fault("ended while serving")
            if time.monotonic() >= look_at:
                ready = await self.process.is_ready()
                lost = 0 if ready else lost + 1
                if lost >= LOOKS_LOST:
                    raise self._fault("lost its model workers")
                self._doubt(not ready)
                look_at = time.monotonic() + LOOK_EVERY_S
            await self._pause(EXIT_POLL_S)

    def _begin_to_serve(self) -> bool:
        if self._leave.is_set():
            return False
        self.seen = replace(self.seen, phase=Phase.READY, ready_at_s=time.time())
        self.process.limit(self._catalogue.flavor(self.seen.flavor).cpu)
        self._changed()
        return True

    def _doubt(self, doubted: bool) -> None:
        if doubted != self._doubted:
            self._doubted = doubted
            self._changed()

    def _largest_cpu(self) -> float:
        family = self._catalogue.flavor(self.seen.flavor).family
        return max(flavor.cpu for flavor in self._catalogue.flavors.values() if flavor.family == family)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leave.wait()

    def _fault(self, how: str) -> ReplicaFault:
        return ReplicaFault(f"replica {self.seen.id}: {how}: {self.process.last_words()}")
