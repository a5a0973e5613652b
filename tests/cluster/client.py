"""The API server as a plain asynchronous REST client: JSON in, JSON out, and a list+watch that never ends.

The stand-ins (process kubelet, ingress) need a handful of verbs on a handful of resources; paths say which.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
RELIST_AFTER_S = 0.3


class ApiError(Exception):
    """The API server refused: `status` is the HTTP status, the message what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One connection pool to the API server of a kubeconfig that names client certificates."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self.server: str = config["clusters"][0]["cluster"]["server"]
        self._tls = _tls(config)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=64)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Object:
        """The object, or list, at `path`."""
        return await self._ask("GET", path)

    async def create(self, path: str, body: Object) -> Object:
        """Create `body` in the collection `path` (or ask a subresource such as a token)."""
        return await self._ask("POST", path, body)

    async def patch(self, path: str, body: Object) -> Object:
        """JSON merge-patch the object at `path`."""
        return await self._ask("PATCH", path, body, MERGE)

    async def delete(self, path: str, body: Object | None = None) -> Object:
        """Delete the object at `path`, with DeleteOptions."""
        return await self._ask("DELETE", path, body)

    async def follow(self, path: str) -> AsyncIterator[tuple[str, Any]]:
        """All changes of the collection `path`, for ever: ``("SYNC", items)`` at first and after every
        interruption, then ``("ADDED" | "MODIFIED" | "DELETED", object)``."""
        while True:
            try:
                listed = await self.get(path)
                yield "SYNC", listed.get("items") or []
                async for kind, item in self._watch(path, listed["metadata"]["resourceVersion"]):
                    yield kind, item
            except (ApiError, aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError):
                await asyncio.sleep(RELIST_AFTER_S)

    async def _watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Any]]:
        params = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "600"}
        # Lines of an object can be longer than the reader's own limit.
        async with self._session.get(self.server + path, params=params) as answer:
            if answer.status != 200:
                raise ApiError(answer.status, await answer.text())
            pending = b""
            async for chunk in answer.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"].get("code", 0), event["object"].get("message", ""))
                    yield event["type"], event["object"]

    async def _ask(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        headers = {"Content-Type": kind, "Accept": "application/json"}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self.server + path, data=data, headers=headers, timeout=aiohttp.ClientTimeout(total=30)
        ) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, (await answer.text())[:500])
            found: Object = await answer.json()
            return found


def _tls(config: Object) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cadata=_decoded(config["clusters"][0]["cluster"], "certificate-authority-data")
    )
    user = config["users"][0]["user"]
    # The ssl module loads a key pair from files only.
    folder = Path(user["client-certificate"]), Path(user["client-key"])
    context.load_cert_chain(*folder)
    return context


def _decoded(section: Object, key: str) -> str:
    return base64.b64decode(section[key]).decode()
