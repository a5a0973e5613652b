"""The open-loop client: sends each request at its time, whatever became of the earlier ones.

Users do not wait for each other, so neither does it: a slow service meets the same load as a quick
one. Latency counts from the moment at which a request was due, so a client that is itself late
cannot make a service look better (no coordinated omission).

    python -m barista.load.client PLAN.json

Each request becomes a line of ``requests.csv`` when it ends: `status` 0 and no latency when nothing
answered. SIGTERM ends the sending; what is outstanding is still waited for, and recorded.
"""

import asyncio
import csv
import heapq
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import numpy as np
from pydantic import ValidationError

from barista.load.plan import LoadPlan

COLUMNS = ("arrived_s", "service", "status", "latency_s", "replica")
REPLICA_HEADER = "X-Barista-Replica"
FLUSH_S = 1.0


@dataclass(frozen=True, slots=True)
class Sender:
    """How the requests of one service are made."""

    service: str
    url: str
    body: bytes
    headers: dict[str, str]


class Client:
    """One load on its way; `run` sends it and returns when every request has ended."""

    def __init__(self, plan: LoadPlan, file: TextIO) -> None:
        self._plan = plan
        self._file = file
        self._rows = csv.writer(file, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        # The plan's clock is the wall's, ours must not jump: they are compared once.
        self._offset_s = time.time() - time.monotonic()
        self._outstanding: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until the plan or SIGTERM ends, then wait for what is outstanding."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            sending = asyncio.create_task(self._send_all(session))
            flushing = asyncio.create_task(self._flush())
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, sending.cancel)
            with suppress(asyncio.CancelledError):
                await sending
            # Each ends by itself, at the latest when its own time is over.
            await asyncio.gather(*self._outstanding)
            flushing.cancel()
        self._file.flush()

    async def _send_all(self, session: aiohttp.ClientSession) -> None:
        for due_s, sender in _requests(self._plan):
            wait_s = due_s - self._now_s()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            task = asyncio.create_task(self._send(session, sender, due_s))
            self._outstanding.add(task)
            task.add_done_callback(self._outstanding.discard)

    async def _send(self, session: aiohttp.ClientSession, sender: Sender, due_s: float) -> None:
        status, replica, latency = 0, "", ""
        try:
            async with (
                asyncio.timeout(self._plan.timeout_s),
                session.post(sender.url, data=sender.body, headers=sender.headers) as answer,
            ):
                await answer.read()
                status, replica = answer.status, answer.headers.get(REPLICA_HEADER, "")
                latency = f"{self._now_s() - due_s:.6f}"
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        self._rows.writerow((f"{due_s:.6f}", sender.service, status, latency, replica))

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._file.flush()

    def _now_s(self) -> float:
        return time.monotonic() + self._offset_s


def _requests(plan: LoadPlan) -> Iterator[tuple[float, Sender]]:
    """All requests of `plan`, by the moment (seconds since the epoch) at which they are due."""
    streams = []
    for service, stream in plan.services.items():
        sender = Sender(service, stream.url, stream.body.read_bytes(), {"Content-Type": stream.content_type})
        times_s: np.ndarray[Any, Any] = np.load(stream.arrivals)
        within = times_s[(times_s >= 0) & (times_s < plan.duration_s)]
        streams.append([(plan.start_s + float(after_s), sender) for after_s in within])
    return heapq.merge(*streams, key=lambda request: request[0])


def main(arguments: list[str]) -> None:
    """Send the load whose plan `arguments` name."""
    if len(arguments) != 1:
        sys.exit("usage: python -m barista.load.client PLAN.json")
    path = Path(arguments[0])
    try:
        plan = LoadPlan.read(path)
    except (OSError, ValidationError) as error:
        sys.exit(f"load plan {path}: {error}")
    with plan.requests.open("w", newline="") as file:
        asyncio.run(Client(plan, file).run())


if __name__ == "__main__":
    main(sys.argv[1:])
