"""Children: the supervisor's named processes (router, Prometheus, controller, load).

One that is to live and dies is started again, after a pause that doubles while it keeps dying.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from barista.platforms.local.process import Process, StartError, end, kill, last_words, start
from barista.platforms.local.reaper import Reaper

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LIVED_S = 10.0
"""A child that lived as long is no longer one that keeps dying."""
GRACE_S = 12.0
WAIT_POLL_S = 0.05

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Child:
    argv: Sequence[str]
    env: Mapping[str, str]
    restart: bool
    process: Process
    started_s: float
    pause_s: float = FIRST_PAUSE_S
    due_s: float | None = None
    """When it is to be started again; None while nobody has noticed that it ended."""


class Children:
    """Processes that run in `directory`, each with a log of its name in `logs`.

    `changed` is called when one has been started or has ended.
    """

    def __init__(self, directory: Path, logs: Path, reaper: Reaper, changed: Callable[[], None]) -> None:
        self._directory = directory
        self._logs = logs
        self._reaper = reaper
        self._changed = changed
        self._children: dict[str, _Child] = {}

    def pids(self) -> dict[str, int]:
        """Process ids of those that run, by name."""
        return {name: c.process.pid for name, c in self._children.items() if c.process.poll() is None}

    def start(self, name: str, argv: Sequence[str], *, restart: bool, env: Mapping[str, str]) -> None:
        """Start `name` with this process's environment and `env`. StartError when that cannot be."""
        if name in self._children:
            raise StartError(f"child {name!r}: was started before: give this one another name")
        process = self._start(name, argv, env)
        self._children[name] = _Child(tuple(argv), dict(env), restart, process, time.monotonic())
        self._changed()

    def look(self) -> None:
        """Bury what has died, and start again what should live, once its pause is over."""
        now_s = time.monotonic()
        for name, child in self._children.items():
            if child.process.poll() is None:
                continue
            if child.due_s is None:
                self._bury(name, child, now_s)
            elif child.restart and now_s >= child.due_s:
                child.process = self._start(name, child.argv, child.env)
                child.started_s, child.due_s = now_s, None
                self._changed()

    async def wait(self, name: str) -> int:
        """Wait until `name` (not one that is restarted) has ended; its exit status, negative for a signal."""
        process = self._children[name].process
        while (status := process.poll()) is None:
            await asyncio.sleep(WAIT_POLL_S)
        return status

    async def stop(self, name: str) -> None:
        """Ask `name` to end, and see that it does, with all it started."""
        child = self._children.pop(name)
        if child.due_s is None:
            await end(child.process, GRACE_S)
            self._reaper.remove("group", child.process.pid)
        self._changed()

    async def close(self) -> None:
        """Stop all, those started last first."""
        for name in reversed(tuple(self._children)):
            await self.stop(name)

    def _start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Process:
        return start(
            argv,
            env=os.environ | dict(env),
            cwd=self._directory,
            log=self._logs / f"{name}.log",
            admit=lambda pid: self._reaper.add("group", pid),
        )

    def _bury(self, name: str, child: _Child, now_s: float) -> None:
        kill(child.process)
        self._reaper.remove("group", child.process.pid)
        if now_s - child.started_s > LIVED_S:
            child.pause_s = FIRST_PAUSE_S
        child.due_s = now_s + child.pause_s
        child.pause_s = min(LONGEST_PAUSE_S, 2 * child.pause_s)
        status, said = child.process.returncode, last_words(self._logs / f"{name}.log")
        log.info("child %s: ended with status %s: %s", name, status, said)
        self._changed()
