"""What the API server says about where Services lead: their addresses, their endpoints, by name."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cluster.client import Api, Object

Key = tuple[str, str]
SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(slots=True)
class Directory:
    """Services and EndpointSlices as last seen; `changed` is called after each change."""

    changed: Callable[[], None] = lambda: None
    services: dict[Key, Object] = field(default_factory=dict)
    slices: dict[Key, Object] = field(default_factory=dict)
    _by_service: dict[Key, set[Key]] = field(default_factory=dict)

    async def follow(self, api: Api) -> None:
        """Keep up to date for ever."""
        await asyncio.gather(
            self._follow(api, "/api/v1/services", self.services),
            self._follow(api, "/apis/discovery.k8s.io/v1/endpointslices", self.slices),
        )

    def endpoints(self, key: Key, port: str | int) -> list[tuple[str, int]]:
        """Ready addresses behind a Service's port, given by its name or number; [] when there is none."""
        service = self.services.get(key)
        if service is None:
            return []
        for one in service["spec"].get("ports") or []:
            if port in (one.get("name"), one["port"]):
                return self._ready(key, one.get("name") or "")
        return []

    def _ready(self, key: Key, port_name: str) -> list[tuple[str, int]]:
        found = []
        for name in self._by_service.get(key, ()):
            one = self.slices[name]
            for port in one.get("ports") or []:
                if (port.get("name") or "") == port_name:
                    found += [
                        (address, int(port["port"]))
                        for endpoint in one.get("endpoints") or []
                        if (endpoint.get("conditions") or {}).get("ready", True)
                        for address in endpoint["addresses"]
                    ]
        return found

    async def _follow(self, api: Api, path: str, into: dict[Key, Object]) -> None:
        async for kind, item in api.follow(path):
            if kind == "SYNC":
                into.clear()
                into.update({key_of(one): one for one in item})
            elif kind == "DELETED":
                into.pop(key_of(item), None)
            elif kind in {"ADDED", "MODIFIED"}:
                into[key_of(item)] = item
            if into is self.slices:
                self._index()
            self.changed()

    def _index(self) -> None:
        self._by_service = {}
        for key, one in self.slices.items():
            service = (one["metadata"].get("labels") or {}).get(SERVICE_NAME)
            if service:
                self._by_service.setdefault((key[0], service), set()).add(key)


def key_of(item: Object) -> Key:
    """Namespace and name."""
    return item["metadata"]["namespace"], item["metadata"]["name"]
