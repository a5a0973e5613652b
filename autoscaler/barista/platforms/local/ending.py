"""Ending processes for sure: whole groups and whole cgroups, by KILL, until nothing is left of them.

Standard library only: the reaper does this after its supervisor was killed, and must start at once.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

PAUSE_S = 0.02


def kill_group(group: int) -> bool:
    """KILL the process group `group`; whether there was one (an unreaped zombie counts)."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_cgroup(cgroup: Path) -> bool:
    """KILL the processes in the directory `cgroup`; whether there were any."""
    try:
        pids = (cgroup / "cgroup.procs").read_text().split()
    except OSError:
        return False
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(pid), signal.SIGKILL)
    return bool(pids)


def remove_cgroup(cgroup: Path, within_s: float = 2.0) -> bool:
    """Empty `cgroup` and remove it; whether it is gone. What was killed may take a moment to leave it."""
    deadline = time.monotonic() + within_s
    while cgroup.exists():
        kill_cgroup(cgroup)
        with contextlib.suppress(OSError):
            cgroup.rmdir()
            break
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def end_all(
    groups: Iterable[int], cgroups: Iterable[Path], folders: Iterable[Path], within_s: float = 3.0
) -> None:
    """End everything in `groups` and `cgroups`, then remove the cgroups and the `folders`.

    Killing is repeated, for at most `within_s`: a process may be starting another when it is killed.
    """
    groups, cgroups = set(groups), set(cgroups)
    deadline = time.monotonic() + within_s
    while (groups or cgroups) and time.monotonic() < deadline:
        alive = {group for group in groups if kill_group(group)}
        filled = {cgroup for cgroup in cgroups if kill_cgroup(cgroup)}
        if not alive and not filled:
            break
        time.sleep(PAUSE_S)
    for cgroup in cgroups:
        remove_cgroup(cgroup, within_s=0.5)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
