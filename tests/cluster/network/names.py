"""Names within the cluster: a name server for Services (A records over UDP), and nothing else.

``NAME.NAMESPACE.svc.DOMAIN`` is the Service's ClusterIP, its endpoints' addresses when it is headless, and
what its external name leads to otherwise.
"""

import asyncio
import socket
import struct
from typing import Any

from tests.cluster.network.directory import Directory

TYPE_A, CLASS_IN, NO_SUCH_NAME = 1, 1, 3
VALID_S = 1


class Names(asyncio.DatagramProtocol):
    """Answers queries from `directory`; `fixed` holds names beyond it."""

    def __init__(self, directory: Directory, domain: str, fixed: dict[str, str]) -> None:
        self._directory = directory
        self._suffix = f".svc.{domain}"
        self._fixed = fixed
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the socket to answer on."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer one query; what is not a query for one name is ignored."""
        if self._transport is None or len(data) < 17 or struct.unpack("!H", data[4:6])[0] != 1:
            return
        name, end = _name(data, 12)
        kind = struct.unpack("!H", data[end : end + 2])[0]
        addresses = self.look_up(name)
        records = addresses if kind == TYPE_A and addresses else []
        code = 0 if addresses is not None else NO_SUCH_NAME
        head = data[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        answer = b"".join(
            struct.pack("!HHHIH", 0xC00C, TYPE_A, CLASS_IN, VALID_S, 4) + socket.inet_aton(record)
            for record in records
        )
        self._transport.sendto(head + data[12 : end + 4] + answer, addr)

    def look_up(self, name: str, depth: int = 4) -> list[str] | None:
        """Addresses of `name`; None when there is no such name."""
        name = name.lower().rstrip(".")
        if name in self._fixed:
            return [self._fixed[name]]
        parts = name.removesuffix(self._suffix).split(".")
        if not name.endswith(self._suffix) or len(parts) != 2:
            return None
        key = parts[1], parts[0]
        service = self._directory.services.get(key)
        if service is None:
            return None
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            return self.look_up(spec["externalName"], depth - 1) if depth else None
        if spec.get("clusterIP") not in {None, "", "None"}:
            return [spec["clusterIP"]]
        ports = spec.get("ports") or [{}]
        return sorted({address for address, _ in self._directory.endpoints(key, ports[0].get("name") or "")})


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels), at + 1
