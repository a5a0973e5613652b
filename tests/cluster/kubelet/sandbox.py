"""A pod's network: a namespace joined to the bridge, with an address of its own and a loopback inside.

The namespaces are named files in the kubelet's private mount namespace. When the kubelet ends, however it
ends, the kernel takes them away with it, and with each namespace its cable to the bridge.
"""

import asyncio
import contextlib
import ipaddress
import subprocess
from pathlib import Path

NAMESPACES = Path("/run/netns")


class SandboxError(Exception):
    """The kernel refused a step of making a pod's network."""


def prepare() -> None:
    """Hold the namespaces' names in a directory that this mount namespace alone sees."""
    NAMESPACES.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "netns", str(NAMESPACES)], check=True)


class Network:
    """Addresses of one bridge, handed to pods in turn: one that was given back is not reused at once."""

    def __init__(self, bridge: str, gateway: str) -> None:
        self._bridge = bridge
        self._gateway = gateway
        self._hosts = ipaddress.ip_network(f"{gateway}/16", strict=False)
        self._next = 1
        self._taken: set[int] = set()

    async def join(self, name: str) -> str:
        """A namespace `name` with an address on the bridge; returns the address. SandboxError."""
        number = self._take()
        address = str(self._hosts[number])
        cable = f"{self._bridge}p{number}"
        await _ip("netns", "add", name)
        # One `ip -batch` a side: a process for each step would be most of a pod's start.
        await _ip_batch(
            f"link add {cable} type veth peer name eth0 netns {name}",
            f"link set {cable} master {self._bridge} up",
        )
        await _ip_batch(
            "link set lo up",
            f"addr add {address}/16 dev eth0",
            "link set eth0 up",
            f"route add default via {self._gateway}",
            within=name,
        )
        return address

    async def leave(self, name: str, address: str) -> None:
        """Give the namespace and its address back."""
        self._taken.discard(int(ipaddress.ip_address(address)) - int(self._hosts[0]))
        with contextlib.suppress(SandboxError):
            await _ip("netns", "delete", name)

    def _take(self) -> int:
        for _ in range(self._hosts.num_addresses):
            self._next = self._next % (self._hosts.num_addresses - 2) + 1
            if self._next > 1 and self._next not in self._taken:
                self._taken.add(self._next)
                return self._next
        raise SandboxError("no address left on the bridge")


async def _ip(*args: str, feed: str | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        "ip",
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate(None if feed is None else feed.encode())
    if process.returncode:
        raise SandboxError(f"ip {' '.join(args)}: {errors.decode().strip()}")


async def _ip_batch(*lines: str, within: str | None = None) -> None:
    scope = () if within is None else ("-n", within)
    await _ip(*scope, "-batch", "-", feed="\n".join(lines) + "\n")
