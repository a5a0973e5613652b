"""The cluster's own processes: started, stopped, started again, and gone when the session is.

Each asks the kernel to be killed when its parent ends, so that a session that is itself killed leaves nothing
running.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_WITHIN_S = 5.0
"""Then KILL: an API server with open watches would go on for a minute."""


class NotUp(Exception):
    """A component ended, or did not come up in time; the message ends with its log."""


class Component:
    """One process, with its command and its log."""

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._argv = ("setpriv", "--pdeathsig", "KILL", *argv)
        self._env = {**without_proxies(), **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; nothing happens when it runs."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal, with KILL when that takes too long; nothing happens when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def until(self, up: Callable[[], bool], within_s: float) -> None:
        """Wait until `up()`. NotUp when the process ends before, or the time is over."""
        end = time.monotonic() + within_s
        while not up():
            if not self.running:
                raise NotUp(f"{self.name} ended; {self.log}:\n{self.tail()}")
            if time.monotonic() > end:
                raise NotUp(f"{self.name} is not up after {within_s:g} s; {self.log}:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, characters: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""


def without_proxies() -> dict[str, str]:
    """The environment less its proxies: the cluster's addresses are on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
