"""The reaper: a watcher process that ends everything when the one it watches over is gone.

The supervisor holds a pipe to it and tells it, line by line, what to end: process groups, cgroups,
folders of scratch files. However the supervisor dies, kill -9 included, the kernel closes the pipe,
and the reaper does what it was told. If the reaper itself dies, the supervisor starts another.

Run as a program, it reads ``add KIND THING`` and ``del KIND THING`` from standard input.
"""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from barista.platforms.local.ending import end_all

Kind = Literal["group", "cgroup", "folder"]


class Reaper:
    """The supervisor's end of the pipe. What is added is ended when this process dies."""

    def __init__(self) -> None:
        self._held: dict[str, None] = {}
        self._process = _start()

    @property
    def pid(self) -> int:
        """Process id of the watcher that runs now."""
        return self._process.pid

    def add(self, kind: Kind, thing: int | Path) -> None:
        """Have `thing` ended: a process group, a cgroup's directory, or a folder to remove."""
        self._held[f"{kind} {thing}"] = None
        self._tell(f"add {kind} {thing}")

    def remove(self, kind: Kind, thing: int | Path) -> None:
        """`thing` has ended by itself."""
        self._held.pop(f"{kind} {thing}", None)
        self._tell(f"del {kind} {thing}")

    def ensure(self) -> bool:
        """Start another watcher if the last one has died; whether it had."""
        if self._process.poll() is None:
            return False
        self._replace()
        return True

    def close(self) -> None:
        """Let the watcher end what is still held, and itself."""
        _close(self._process)

    def _tell(self, line: str) -> None:
        try:
            _write(self._process, (line,))
        except BrokenPipeError:
            self._replace()

    def _replace(self) -> None:
        _close(self._process)
        self._process = _start()
        _write(self._process, (f"add {held}" for held in self._held))


def _start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        (sys.executable, "-m", __name__),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _write(process: "subprocess.Popen[str]", lines: Iterable[str]) -> None:
    assert process.stdin is not None
    process.stdin.writelines(f"{line}\n" for line in lines)
    process.stdin.flush()


def _close(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait()


def main() -> None:
    """Keep the list that standard input tells; at its end, end all that is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held: dict[tuple[str, str], None] = {}
    for line in sys.stdin:
        verb, kind, thing = line.rstrip("\n").split(" ", 2)
        if verb == "add":
            held[kind, thing] = None
        else:
            held.pop((kind, thing), None)

    def of(kind: Kind) -> list[str]:
        return [thing for its_kind, thing in held if its_kind == kind]

    end_all(map(int, of("group")), map(Path, of("cgroup")), map(Path, of("folder")))


if __name__ == "__main__":
    main()
