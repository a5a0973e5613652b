"""One model server, started for measuring: its life, its requests, its memory.

It runs in a session of its own, in a work directory that goes with it, and never outlives the
``async with`` it was started by, nor the process that was in it.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
import psutil

from barista.platforms.local.process import (
    Process,
    StartError,
    free_ports,
    kill,
    last_words,
    minimal_environment,
    start,
)
from barista.platforms.local.reaper import Reaper
from barista.ports.model_server import Launch, ModelServer

READY_WITHIN_S = 120.0
READY_POLL_S = 0.1
_GIB = 2**30


class CpuQuota(Protocol):
    """Holds the processes of a replica to some cores; settable at any time."""

    def add(self, pid: int) -> None:
        """Put the process `pid`, and what it starts from now on, under the quota."""
        ...

    def limit(self, cpu: float) -> None:
        """Let them use `cpu` cores in all."""
        ...

    def close(self) -> None:
        """Give the quota up, after its processes have ended."""
        ...


class MeasureError(Exception):
    """A model could not be measured; the message says at what point, and what the server said."""


@dataclass(frozen=True, slots=True)
class Running:
    """A ready model server on loopback. `setup_s` is how long it took from its start."""

    launch: Launch
    url: str
    pid: int
    setup_s: float
    session: aiohttp.ClientSession

    async def request(self, body: bytes, content_type: str) -> float:
        """Seconds from sending one request until its answer is complete. MeasureError unless 200."""
        headers = {"Content-Type": content_type}
        begin = time.perf_counter()
        try:
            async with self.session.post(self.url, data=body, headers=headers) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise MeasureError(
                f"model {self.launch.model!r}: no answer to the sample request: {error!r}"
            ) from error
        if answer.status != 200:
            raise MeasureError(
                f"model {self.launch.model!r}: the sample request was answered {answer.status}:"
                f" {text[:200].decode(errors='replace')}"
            )
        return time.perf_counter() - begin

    def memory_gib(self) -> float:
        """Resident memory of the server and all its descendants, GiB."""
        root = psutil.Process(self.pid)
        total = 0
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / _GIB


@contextlib.asynccontextmanager
async def running(
    server: ModelServer, model: str, archive: Path, workers: int, quota: CpuQuota
) -> AsyncIterator[Running]:
    """Start `model` on `server` under `quota`, hand it over when it is ready, end it afterwards."""
    work_dir = Path(tempfile.mkdtemp(prefix=f"barista-profile-{model}-"))
    inference, management, metrics = free_ports(3)
    launch = Launch(model, archive, work_dir, inference, management, metrics, workers)
    log = work_dir / "server.log"
    reaper = Reaper()
    reaper.add("folder", work_dir)
    try:
        begin = time.perf_counter()
        process = _start(server, launch, log, quota, reaper)
        try:
            await _ready(server, launch, process, log)
            setup_s = time.perf_counter() - begin
            url = f"http://127.0.0.1:{inference}{server.predict_path(model)}"
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
                yield Running(launch, url, process.pid, setup_s, session)
        finally:
            kill(process)
            reaper.remove("group", process.pid)
    finally:
        reaper.close()


def _start(server: ModelServer, launch: Launch, log: Path, quota: CpuQuota, reaper: Reaper) -> Process:
    def admit(pid: int) -> None:
        quota.add(pid)
        reaper.add("group", pid)

    try:
        command = server.prepare(launch)
        environment = minimal_environment(command.env)
        return start(command.argv, env=environment, cwd=launch.work_dir, log=log, admit=admit)
    except StartError as error:
        raise MeasureError(f"model {launch.model!r}: {error}") from error


async def _ready(server: ModelServer, launch: Launch, process: Process, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not await server.is_ready(launch):
        if process.poll() is not None:
            raise MeasureError(f"model {launch.model!r}: the server ended while starting: {last_words(log)}")
        if time.monotonic() > deadline:
            raise MeasureError(
                f"model {launch.model!r}: not ready within {READY_WITHIN_S:g} s: {last_words(log)}"
            )
        await asyncio.sleep(READY_POLL_S)
