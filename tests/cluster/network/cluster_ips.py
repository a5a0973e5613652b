"""ClusterIPs: this machine takes the address of each Service and passes connections on to its endpoints.

Knative's private Services (one for each revision, with many ports) are left out: activator and autoscaler
go to the pods themselves. Its public ones are needed: before the last replica goes, the autoscaler asks
there whether the activator has taken over.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator

from tests.cluster.client import Object
from tests.cluster.network.directory import Directory, Key, key_of

SERVICE_TYPE = "networking.internal.knative.dev/serviceType"
CHUNK = 1 << 16
Listener = tuple[str, int]


class ClusterIPs:
    """Listens on what `directory` says, and follows it."""

    def __init__(self, directory: Directory, bridge: str) -> None:
        self._directory = directory
        self._bridge = bridge
        self._turn = itertools.count()
        self._servers: dict[Listener, asyncio.Server] = {}
        self._addresses: set[str] = set()
        self._changed = asyncio.Event()
        directory.changed = self._changed.set

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = dict(
                listener for one in self._directory.services.values() for listener in _listeners(one)
            )
            for gone in set(self._servers) - set(wanted):
                self._servers.pop(gone).close()
            for listener in set(wanted) - set(self._servers):
                await self._listen(listener, wanted[listener])

    async def _listen(self, listener: Listener, to: tuple[Key, int]) -> None:
        address, port = listener
        if address not in self._addresses:
            process = await asyncio.create_subprocess_exec(
                "ip", "addr", "add", f"{address}/32", "dev", self._bridge, stderr=asyncio.subprocess.DEVNULL
            )
            await process.wait()
            self._addresses.add(address)
        key, service_port = to

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._pass_on(key, service_port, reader, writer)

        self._servers[listener] = await asyncio.start_server(serve, address, port)

    async def _pass_on(
        self, key: Key, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            endpoints = self._directory.endpoints(key, port)
            if not endpoints:
                return
            there = endpoints[next(self._turn) % len(endpoints)]
            far_reader, far_writer = await asyncio.open_connection(*there)
            with contextlib.closing(far_writer):
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


def _listeners(service: Object) -> Iterator[tuple[Listener, tuple[Key, int]]]:
    spec = service["spec"]
    address = spec.get("clusterIP")
    labels = service["metadata"].get("labels") or {}
    if not address or address == "None" or labels.get(SERVICE_TYPE) == "Private":
        return
    for port in spec.get("ports") or []:
        if port.get("protocol", "TCP") == "TCP":
            yield (address, port["port"]), (key_of(service), port["port"])
