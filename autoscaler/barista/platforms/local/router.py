"""The router: every request of every service on its way to a replica, in a process of its own.

It lives on when the controller dies, and holds no state worth keeping: the table of replicas is
pushed to it whole, again and again, so a restarted router is complete within a moment.

    python -m barista.platforms.local.router CONFIG.json

Requests are ``POST /<namespace>/<name>`` on `port`. On `admin_port`: ``PUT /replicas`` (the whole
table), ``GET /in-flight``, ``GET /metrics``, ``GET /healthz``. SIGTERM ends it after what is in flight.
"""

import asyncio
import signal
import sys
import time
from functools import partial
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from barista.platforms.local.dispatch import Endpoint, Lane, list_table
from barista.platforms.local.forward import Forwarder, Ticket, client_session
from barista.platforms.local.router_metrics import RouterMetrics

DRAIN_S = 10.0
LARGEST_BODY_BYTES = 64 * 2**20
_TABLE = TypeAdapter(dict[str, list[Endpoint]])


class ServiceConfig(BaseModel):
    """How requests of one service wait: so many at once, each so long until its answer."""

    model_config = ConfigDict(extra="forbid")

    queue_limit: int = Field(200, ge=0)
    timeout_s: float = Field(30.0, gt=0)


class RouterConfig(BaseModel):
    """Where the router listens and which services, by ``namespace/name``, it knows."""

    model_config = ConfigDict(extra="forbid")

    port: int
    admin_port: int
    services: dict[str, ServiceConfig]
    host: str = "127.0.0.1"


class Router:
    """Lanes, metrics and HTTP of one router; use as an async context manager to serve."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._lanes: dict[str, Lane[Ticket]] = {
            service: Lane(waits.queue_limit) for service, waits in config.services.items()
        }
        self._metrics = RouterMetrics(self._lanes)
        self._forwarders: dict[str, Forwarder] = {}

    async def __aenter__(self) -> "Router":
        self._session = client_session()
        self._forwarders = {
            service: Forwarder(
                service,
                self._lanes[service],
                waits.timeout_s,
                self._session,
                partial(self._metrics.served, service),
            )
            for service, waits in self._config.services.items()
        }
        data = web.Application(client_max_size=LARGEST_BODY_BYTES)
        data.router.add_post("/{namespace}/{name}", self._predict)
        admin = web.Application()
        admin.router.add_put("/replicas", self._list)
        admin.router.add_get("/in-flight", self._in_flight)
        admin.router.add_get("/metrics", self._scrape)
        admin.router.add_get("/healthz", self._healthz)
        self._data = await self._serve(data, self._config.port)
        self._admin = await self._serve(admin, self._config.admin_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        # Tables and scrapes still come in while the last requests are finished.
        await self._data.cleanup()
        await self._admin.cleanup()
        await self._session.close()

    async def _serve(self, app: web.Application, port: int) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, self._config.host, port, backlog=1024).start()
        return runner

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        service = f"{request.match_info['namespace']}/{request.match_info['name']}"
        forwarder = self._forwarders.get(service)
        if forwarder is None:
            known = ", ".join(sorted(self._forwarders))
            raise web.HTTPNotFound(text=f"service {service}: not known here; known: {known}\n")
        arrived_s, status = time.perf_counter(), 500
        self._metrics.arrived(service)
        try:
            answer = await forwarder.forward(request)
            status = answer.status
            return answer
        except web.HTTPException as refused:
            status = refused.status
            raise
        finally:
            self._metrics.answered(service, status, time.perf_counter() - arrived_s)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            list_table(self._lanes, _TABLE.validate_json(await request.read()), time.monotonic())
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"table of replicas: {error}\n") from None
        for forwarder in self._forwarders.values():
            forwarder.hand_out()
        return web.Response(status=204)

    async def _in_flight(self, _: web.Request) -> web.Response:
        busy = {name: count for lane in self._lanes.values() for name, count in lane.in_flight().items()}
        return web.json_response(busy)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")


async def serve(config: RouterConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with Router(config):
        await end.wait()


def main(arguments: list[str]) -> None:
    """Run the router of the configuration file that `arguments` name."""
    if len(arguments) != 1:
        sys.exit("usage: python -m barista.platforms.local.router CONFIG.json")
    path = Path(arguments[0])
    try:
        config = RouterConfig.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        sys.exit(f"router configuration {path}: {error}")
    asyncio.run(serve(config))


if __name__ == "__main__":
    main(sys.argv[1:])
