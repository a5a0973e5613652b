"""A replica's model server: one process tree under a cpu limit, started, looked at, ended for sure."""

import asyncio
import shutil
from pathlib import Path

from barista.platforms.local.cgroups import CpuLimiter
from barista.platforms.local.process import Process, kill, last_words, minimal_environment, start
from barista.platforms.local.reaper import Reaper
from barista.ports.model_server import Launch, ModelServer


class ServerProcess:
    """The server of one replica; its output goes to `log`, its files to `launch.work_dir` until it ends."""

    def __init__(self, server: ModelServer, launch: Launch, reaper: Reaper, log: Path) -> None:
        self.launch = launch
        self._server = server
        self._reaper = reaper
        self._log = log
        self._limiter: CpuLimiter | None = None
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where predictions are POSTed."""
        path = self._server.predict_path(self.launch.model)
        return f"http://127.0.0.1:{self.launch.inference_port}{path}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None before its start."""
        return self._process.pid if self._process is not None else None

    @property
    def ended(self) -> bool:
        """Whether the server was started and has ended."""
        return self._process is not None and self._process.poll() is not None

    async def start(self, cpu: float) -> None:
        """Start the server on `cpu` cores. StartError when that cannot be."""
        command = await asyncio.to_thread(self._server.prepare, self.launch)
        limiter = self._limiter = CpuLimiter()
        if limiter.cgroup is not None:
            self._reaper.add("cgroup", limiter.cgroup)
        limiter.limit(cpu)

        def admit(pid: int) -> None:
            limiter.add(pid)
            self._reaper.add("group", pid)

        self._process = start(
            command.argv,
            env=minimal_environment(command.env),
            cwd=self.launch.work_dir,
            log=self._log,
            admit=admit,
        )

    def limit(self, cpu: float) -> None:
        """Let the server use `cpu` cores from now on, without a restart."""
        if self._limiter is not None:
            self._limiter.limit(cpu)

    async def is_ready(self) -> bool:
        """Whether a request sent now would be answered by a loaded worker."""
        return await self._server.is_ready(self.launch)

    def last_words(self) -> str:
        """What the server said last."""
        return last_words(self._log)

    async def end(self) -> None:
        """End the server and all it started at once, and remove its files."""
        if self._process is not None:
            await asyncio.to_thread(kill, self._process)
            self._reaper.remove("group", self._process.pid)
        if self._limiter is not None:
            await asyncio.to_thread(self._limiter.close)
            if self._limiter.cgroup is not None:
                self._reaper.remove("cgroup", self._limiter.cgroup)
        await asyncio.to_thread(shutil.rmtree, self.launch.work_dir, ignore_errors=True)
