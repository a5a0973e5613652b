"""The cpu a replica may use: a cgroup of its own with a quota, or the nearest thing to it.

A quota gives fractions of a core and can be changed while the replica runs, which is what in-place
(vertical) scaling is on one machine. Where no cgroup may be made, the replica is held to
⌈cpu⌉ cores by affinity instead: coarser, but never more than it was given by a whole core.

A cgroup's name carries the process id of who made it, so that leftovers can be recognised.
"""

import itertools
import math
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from barista.platforms.local.ending import kill_cgroup, remove_cgroup

PREFIX = "barista"
PERIOD_US = 20_000
"""Short, so that a throttled request waits for milliseconds: the default of 100 ms would show as latency."""
LEAST_QUOTA_US = 1_000
_turns = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """A directory in which cgroups with a cpu quota may be made, and the version of its interface."""

    version: Literal[1, 2]
    directory: Path


class CpuLimiter:
    """Holds processes, and what they start, to an amount of cpu that can be changed at any time."""

    def __init__(self) -> None:
        self._holder: _Cgroup | _Affinity = _make_cgroup() or _Affinity()

    @property
    def kind(self) -> str:
        """How the limit is kept: ``cgroup v1``, ``cgroup v2`` or ``affinity``."""
        return self._holder.kind

    @property
    def cgroup(self) -> Path | None:
        """The cgroup's directory; None under affinity."""
        return self._holder.path if isinstance(self._holder, _Cgroup) else None

    def add(self, pid: int) -> None:
        """Put the process `pid`, and what it starts from now on, under the limit."""
        self._holder.add(pid)

    def limit(self, cpu: float) -> None:
        """Let them use `cpu` cores in all."""
        self._holder.limit(cpu)

    def kill(self) -> None:
        """KILL every process under the limit."""
        self._holder.kill()

    def close(self) -> None:
        """End what is still under the limit, and give it up."""
        self._holder.close()


def remove_leftovers() -> None:
    """Remove empty cgroups whose makers are gone (they were killed together with their reaper)."""
    for place in _places():
        for path in place.directory.glob(f"{PREFIX}-*-*"):
            pid = path.name.split("-")[1]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                try:
                    path.rmdir()
                except OSError:
                    continue


def candidates(mountinfo: str, own: str) -> tuple[Place, ...]:
    """Where cgroups might be made, best first, by the texts of /proc/self/mountinfo and /proc/self/cgroup.

    Version 1: this process's own cgroup, then the top of what is mounted. Version 2: its own cgroup and
    all above it, since one that holds processes cannot share out cpu to cgroups within it.
    """
    paths = {line.split(":")[1]: line.split(":", 2)[2] for line in own.splitlines() if line.count(":") >= 2}
    v1: list[Place] = []
    v2: list[Place] = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        root, point = mount.split()[3:5]
        kind, options = source.split()[0], source.split()[-1].split(",")
        if kind == "cgroup" and "cpu" in options:
            path = next((path for names, path in paths.items() if "cpu" in names.split(",")), "/")
            v1 += [Place(1, place) for place in dict.fromkeys((_within(point, root, path), Path(point)))]
        elif kind == "cgroup2":
            inner = _within(point, root, paths.get("", "/"))
            above = [place for place in inner.parents if place.is_relative_to(point)]
            v2 += [Place(2, place) for place in (inner, *above)]
    return (*v1, *v2)


def _within(point: str, root: str, path: str) -> Path:
    """Directory of the cgroup `path` when the hierarchy below `root` is mounted at `point`."""
    below = path.removeprefix(root) if root != "/" and path.startswith(root) else path
    return Path(point) / below.lstrip("/") if ".." not in below else Path(point)


def _places() -> tuple[Place, ...]:
    try:
        return candidates(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    except OSError:
        return ()


def _make_cgroup() -> "_Cgroup | None":
    made = (_Cgroup.make(place) for place in _places())
    return next((cgroup for cgroup in made if cgroup is not None), None)


@dataclass(frozen=True, slots=True)
class _Cgroup:
    path: Path
    version: Literal[1, 2]

    @classmethod
    def make(cls, place: Place) -> "_Cgroup | None":
        """A new cgroup in `place` whose quota can be set; None where that is not permitted."""
        path = place.directory / f"{PREFIX}-{os.getpid()}-{secrets.token_hex(3)}"
        cgroup = cls(path, place.version)
        if not os.access(place.directory / "cgroup.procs", os.W_OK):
            return None
        try:
            if place.version == 2:
                _share_cpu(place.directory)
            path.mkdir()
        except OSError:
            return None
        try:
            cgroup.limit(os.cpu_count() or 1)
        except OSError:
            remove_cgroup(path)
            return None
        return cgroup

    @property
    def kind(self) -> str:
        return f"cgroup v{self.version}"

    def add(self, pid: int) -> None:
        (self.path / "cgroup.procs").write_text(str(pid))

    def limit(self, cpu: float) -> None:
        quota_us = max(LEAST_QUOTA_US, round(cpu * PERIOD_US))
        if self.version == 2:
            (self.path / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (self.path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.path / "cpu.cfs_quota_us").write_text(str(quota_us))

    def kill(self) -> None:
        kill_cgroup(self.path)

    def close(self) -> None:
        remove_cgroup(self.path)


def _share_cpu(directory: Path) -> None:
    """Let the cgroups in `directory` (version 2) limit cpu. OSError where that is not permitted."""
    control = directory / "cgroup.subtree_control"
    if "cpu" not in control.read_text().split():
        control.write_text("+cpu")


class _Affinity:
    """Holds processes to as many cores, not always the same ones: replicas take turns in where they begin."""

    kind = "affinity"

    def __init__(self) -> None:
        self._pids: list[int] = []
        cores = sorted(os.sched_getaffinity(0))
        first = next(_turns) % len(cores)
        self._cores = cores[first:] + cores[:first]
        self._count = len(cores)

    def add(self, pid: int) -> None:
        self._pids.append(pid)
        self._hold()

    def limit(self, cpu: float) -> None:
        self._count = max(1, math.ceil(cpu))
        self._hold()

    def kill(self) -> None:
        for process in self._processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def close(self) -> None:
        self.kill()
        self._pids.clear()

    def _hold(self) -> None:
        allowed = self._cores[: self._count]
        for process in self._processes():
            try:
                for thread in process.threads():
                    os.sched_setaffinity(thread.id, allowed)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue

    def _processes(self) -> Iterator[psutil.Process]:
        for pid in self._pids:
            try:
                process = psutil.Process(pid)
                yield from (process, *process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
