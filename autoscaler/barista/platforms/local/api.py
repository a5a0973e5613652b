"""The agent's HTTP API on loopback; its JSON, for client and server, is the values as they are.

``GET /state``: replicas by service. ``POST /apply``: targets in, outcomes out. ``GET /usage``: what was used.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from barista.platforms.local.agent import Agent
from barista.platforms.local.service import Target
from barista.platforms.local.usage import ServiceUsage
from barista.values.decision import Applied
from barista.values.replica import Replica
from barista.values.service import ServiceId

STATE = TypeAdapter(dict[ServiceId, tuple[Replica, ...]])
TARGETS = TypeAdapter(tuple[Target, ...])
OUTCOMES = TypeAdapter(tuple[Applied, ...])
USAGE = TypeAdapter(dict[ServiceId, ServiceUsage])


def agent_app(agent: Agent) -> web.Application:
    """The API of `agent`."""

    async def apply(request: web.Request) -> web.Response:
        try:
            targets = TARGETS.validate_json(await request.read())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise web.HTTPBadRequest(text=f"decisions: {where}: {first['msg']}\n") from error
        return _json(OUTCOMES, agent.apply(targets))

    app = web.Application()
    app.router.add_get("/state", _get(STATE, agent.state))
    app.router.add_get("/usage", _get(USAGE, agent.usage))
    app.router.add_post("/apply", apply)
    return app


def _get(kind: TypeAdapter[Any], read: Callable[[], Any]) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return _json(kind, read())

    return handler


def _json(kind: TypeAdapter[Any], value: Any) -> web.Response:
    return web.Response(body=kind.dump_json(value), content_type="application/json")
