"""The thinnest ingress that Knative accepts: it calls each KIngress ready, and a proxy follows the rules.

The proxy finds the rule by Host, chooses a split by its percentage, sets the headers that Knative asks for
(the activator goes by them) and passes the request on to a ready endpoint, in turn. No TLS, no retries, no
HTTP/2, no matching by path, no upgrade of connections.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from tests.cluster.client import Api, ApiError, Object
from tests.cluster.kubelet.times import now
from tests.cluster.network.directory import Directory, Key, key_of

CLASS = "thin.ingress.networking.knative.dev"
CLASS_KEY = "networking.knative.dev/ingress.class"
NAME = "ingress.thin.internal"
"""The name within the cluster that Knative's placeholder Services lead to."""

PATH = "/apis/networking.internal.knative.dev/v1alpha1/ingresses"
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers",
    "transfer-encoding", "upgrade", "host", "content-length",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes: a Service's port, and the headers to set on the way."""

    service: Key
    port: str | int
    headers: dict[str, str]
    host: str | None


class Ingress:
    """Rules of all KIngresses of our class, by host."""

    def __init__(self, api: Api, directory: Directory) -> None:
        self._api = api
        self._directory = directory
        self._ingresses: dict[Key, Object] = {}
        self._paths: dict[str, list[Object]] = {}
        self._turn = itertools.count()

    async def follow(self) -> None:
        """Keep the rules up to date, and tell Knative that they are in force; for ever."""
        async for kind, item in self._api.follow(PATH):
            if kind == "SYNC":
                self._ingresses = {key_of(one): one for one in item}
            elif kind == "DELETED":
                self._ingresses.pop(key_of(item), None)
            else:
                self._ingresses[key_of(item)] = item
            self._paths = {
                host: rule["http"]["paths"]
                for one in self._ingresses.values()
                if _class(one) == CLASS
                for rule in one["spec"].get("rules") or []
                for host in rule.get("hosts") or []
            }
            for one in item if kind == "SYNC" else [item]:
                if kind != "DELETED" and _class(one) == CLASS:
                    await self._mark_ready(one)

    def route(self, host: str, headers: Mapping[str, str]) -> Target | None:
        """Where a request with this Host goes; None when no rule knows the host."""
        for path in self._paths.get(host.partition(":")[0], ()):
            wanted = path.get("headers") or {}
            if any(headers.get(name) != match["exact"] for name, match in wanted.items()):
                continue
            splits = path["splits"]
            split = random.choices(splits, [one.get("percent", 100) for one in splits])[0]
            return Target(
                (split["serviceNamespace"], split["serviceName"]),
                split["servicePort"],
                {**(path.get("appendHeaders") or {}), **(split.get("appendHeaders") or {})},
                path.get("rewriteHost"),
            )
        return None

    def endpoint(self, target: Target) -> tuple[str, int] | None:
        """A ready endpoint, in turn; None when there is none."""
        found = self._directory.endpoints(target.service, target.port)
        return found[next(self._turn) % len(found)] if found else None

    async def _mark_ready(self, item: Object) -> None:
        generation = item["metadata"]["generation"]
        balancer = {"ingress": [{"domainInternal": NAME}]}
        kinds = ("LoadBalancerReady", "NetworkConfigured", "Ready")
        status = {
            "observedGeneration": generation,
            "publicLoadBalancer": balancer,
            "privateLoadBalancer": balancer,
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now()} for kind in kinds],
        }
        if (item.get("status") or {}).get("observedGeneration") == generation:
            return
        namespace, name = key_of(item)
        path = f"{PATH.removesuffix('/ingresses')}/namespaces/{namespace}/ingresses/{name}/status"
        # When the API server is away or restarts, the list that follows brings the object again.
        with contextlib.suppress(ApiError, aiohttp.ClientError, OSError, TimeoutError):
            await self._api.patch(path, {"status": status})


class Proxy:
    """The data path: one request in, one request out."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress

    async def serve(self, address: str, port: int) -> None:
        """Listen for ever."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, trust_env=False
        ) as self._session:
            server = web.Server(self._handle)
            runner = web.ServerRunner(server, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, address, port).start()
            await asyncio.Event().wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        target = self._ingress.route(request.host, request.headers)
        if target is None:
            return web.Response(status=404, text=f"ingress: no rule for host {request.host}\n")
        endpoint = self._ingress.endpoint(target)
        if endpoint is None:
            return web.Response(status=503, text=f"ingress: no endpoint of {target.service}\n")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        headers += target.headers.items()
        headers.append(("Host", target.host or request.host))
        url = f"http://{endpoint[0]}:{endpoint[1]}{request.raw_path}"
        body = await request.read()
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                return await _pass_back(request, answer)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            return web.Response(status=502, text=f"ingress: {target.service}: {error}\n")


async def _pass_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
    body = await answer.read()
    response = web.Response(status=answer.status, body=body)
    for name, value in headers:
        response.headers.add(name, value) if name.lower() != "content-type" else None
    if "Content-Type" in answer.headers:
        response.headers["Content-Type"] = answer.headers["Content-Type"]
    return response


def _class(item: Object) -> str | None:
    return (item["metadata"].get("annotations") or {}).get(CLASS_KEY)
