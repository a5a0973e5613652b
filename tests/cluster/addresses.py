"""The addresses of one cluster on this machine, so that several can run side by side.

Each takes a slot: a bridge, a range for pods and one for Services. A lock file, held for as long as the
cluster lives, says that the slot is taken; the kernel lets go of it however the holder ends.
"""

import fcntl
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SLOTS = 20


class NoSlot(Exception):
    """Every slot is taken."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Bridge and ranges of the slot `slot`."""

    slot: int
    _lock: IO[str] = field(repr=False, compare=False)

    @property
    def bridge(self) -> str:
        """Name of the bridge that joins this machine and the pods."""
        return f"knb{self.slot}"

    @property
    def gateway(self) -> str:
        """This machine's address on the bridge: API server, name server and ingress listen here."""
        return f"10.{200 + self.slot}.0.1"

    @property
    def pods(self) -> str:
        """The pods' range; the gateway is its first address."""
        return f"10.{200 + self.slot}.0.0/16"

    @property
    def services(self) -> str:
        """The range of ClusterIPs."""
        return f"10.{160 + self.slot}.0.0/16"

    @property
    def kubernetes(self) -> str:
        """ClusterIP of the API server: the first of the range."""
        return f"10.{160 + self.slot}.0.1"

    def make_directory(self) -> Path:
        """A fresh directory for the cluster's files; one that a killed session left behind goes first."""
        directory = Path(tempfile.gettempdir()) / f"knb-{self.slot}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        return directory

    def make_bridge(self) -> None:
        """A fresh bridge; one that a killed session left behind goes first."""
        self.remove_bridge()
        # With a fixed hardware address, since a bridge otherwise changes its own as pods come and go.
        mac = f"02:6b:6e:62:00:{self.slot:02x}"
        _ip("link", "add", self.bridge, "address", mac, "type", "bridge")
        _ip("addr", "add", f"{self.gateway}/16", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")

    def remove_bridge(self) -> None:
        """Remove the bridge if there is one."""
        if Path("/sys/class/net", self.bridge).exists():
            _ip("link", "delete", self.bridge)

    def release(self) -> None:
        """Remove the bridge and let the next cluster have the slot."""
        self.remove_bridge()
        self._lock.close()


def claim() -> Addresses:
    """A free slot. NoSlot when there is none."""
    for slot in range(SLOTS):
        lock = (Path(tempfile.gettempdir()) / f"knative-barista-cluster-{slot}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return Addresses(slot, lock)
    raise NoSlot(f"{SLOTS} clusters run on this machine already")


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True)
