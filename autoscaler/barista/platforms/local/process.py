"""Starting and ending processes: each leads a session of its own, so that it ends with all it started.

A process waits at a gate until whoever starts it has admitted it, that is, has put it under its cpu
limit and told the reaper of it. It never runs unwatched: if its starter dies before that, the gate
closes and the process ends without having begun.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from barista.platforms.local.ending import kill_group

Process = subprocess.Popen[bytes]

_GATE = 'read -r _ && exec "$@" </dev/null'
_INHERITED = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR")
_POLL_S = 0.02
_LOG_LINES = 5


class StartError(Exception):
    """A process cannot be started; the message names it and the mend."""


def minimal_environment(added: Mapping[str, str]) -> dict[str, str]:
    """What a server needs of this process's environment to find its programs, and `added`."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict(added)


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    admit: Callable[[int], None] = lambda _: None,
) -> Process:
    """Start `argv` as the leader of a session, its output appended to `log`; call ``admit(pid)`` before.

    StartError when the program is not there, or could not be admitted.
    """
    if shutil.which(argv[0], path=env.get("PATH")) is None:
        raise StartError(f"{argv[0]}: no such program on PATH ({env.get('PATH', '')}): install it")
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                ("/bin/sh", "-c", _GATE, "sh", *argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StartError(f"{argv[0]}: cannot be started: {error}") from error
    try:
        admit(process.pid)
        _open_gate(process)
    except OSError as error:
        kill(process)
        raise StartError(f"{argv[0]}: cannot be started: {error}") from error
    return process


def _open_gate(process: Process) -> None:
    assert process.stdin is not None
    with process.stdin as gate:
        gate.write(b"\n")


def kill(process: Process) -> None:
    """End `process` and all of its group at once."""
    kill_group(process.pid)
    process.wait()


async def end(process: Process, grace_s: float) -> None:
    """Ask `process` to end; after `grace_s` at the latest, end it and all of its group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while process.poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
    kill(process)


def last_words(log: Path) -> str:
    """The last lines of `log`, in one."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return " | ".join(lines[-_LOG_LINES:]) or "it said nothing"


def free_ports(count: int) -> list[int]:
    """`count` ports of the loopback interface that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
