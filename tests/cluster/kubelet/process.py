"""One run of a container: its program in namespaces of its own, ended for certain when the kubelet ends.

The outer process only waits; the inner one is the container's, the first of its process namespace. Each gets
killed by the kernel when its parent goes, and everything in the container goes with the first.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from barista.platforms.local.cgroups import CpuLimiter
from tests.cluster.kubelet.sandbox import NAMESPACES

LAUNCH = Path(__file__).with_name("launch.sh")


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of this machine that shows at `target` in the container."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """All that starts a container: where its files lie, what to run and in which surroundings."""

    directory: Path
    network: str
    hostname: str
    argv: Sequence[str]
    env: Mapping[str, str]
    working_directory: str
    mounts: Sequence[Mount]
    log: Path


class ContainerProcess:
    """A started container."""

    def __init__(self, outer: asyncio.subprocess.Process, limiter: CpuLimiter) -> None:
        self._outer = outer
        self._limiter = limiter

    @classmethod
    async def start(cls, launch: Launch, cpu: float | None) -> "ContainerProcess":
        """Start it, held to `cpu` cores. OSError when the machine lacks a tool."""
        for name in ("root", "upper", "work"):
            (launch.directory / name).mkdir(parents=True, exist_ok=True)
        lines = (f"{one.source}\t{one.target}\t{'ro' if one.read_only else 'rw'}\n" for one in launch.mounts)
        (launch.directory / "mounts").write_text("".join(lines))
        limiter = CpuLimiter()
        if cpu is not None:
            limiter.limit(cpu)
        with launch.log.open("ab") as log:
            outer = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL"),
                *("nsenter", f"--net={NAMESPACES / launch.network}"),
                *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"),
                *("sh", str(LAUNCH), str(launch.directory), launch.hostname, launch.working_directory),
                *(str(limiter.cgroup or ""), *launch.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(launch.env),
                start_new_session=True,
            )
        if limiter.cgroup is None:
            limiter.add(outer.pid)
        return cls(outer, limiter)

    async def wait(self) -> int:
        """The exit code, 128 + signal when a signal ended it; afterwards nothing of the container is left."""
        code = await self._outer.wait()
        self._limiter.close()
        return 128 - code if code < 0 else code

    def limit(self, cpu: float) -> None:
        """Hold the running container to `cpu` cores."""
        self._limiter.limit(cpu)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the container's first process; nothing happens when it is gone."""
        for pid in self._inner():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """KILL the whole container."""
        with contextlib.suppress(ProcessLookupError):
            self._outer.kill()

    async def run(self, argv: Sequence[str], within_s: float) -> bool:
        """Whether `argv`, run inside the container, succeeds in time."""
        inner = self._inner()
        if not inner:
            return False
        process = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(inner[0]), "--net", "--mount", "--pid", "--uts", "--root", *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            return await asyncio.wait_for(process.wait(), within_s) == 0
        except TimeoutError:
            process.kill()
            await process.wait()
            return False

    def _inner(self) -> list[int]:
        try:
            text = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in text.split()]
