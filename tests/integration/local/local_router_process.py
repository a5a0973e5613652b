"""A router process and small replicas for tests: real HTTP, real signals."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

SERVICE = "default/digits"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(condition: Callable[[], Awaitable[Any]], within_s: float = 20.0) -> Any:
    """The first true answer of `condition`; AssertionError when there is none in time."""
    async with asyncio.timeout(within_s):
        while not (found := await condition()):
            await asyncio.sleep(0.05)
        return found


@dataclass
class Replica:
    """A model server stand-in: answers its id and what it was sent, after `gate` opens."""

    id: str
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[bytes] = field(default_factory=list)
    dies: str = ""
    port: int = 0

    @property
    def listing(self) -> dict[str, Any]:
        return {"id": self.id, "url": f"http://127.0.0.1:{self.port}/predictions/digits", "slots": 1}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(body)
        await self.gate.wait()
        if self.dies == "before answering":
            request.transport.abort()
        if self.dies == "within its answer":
            answer = web.StreamResponse(headers={"Content-Length": "100"})
            await answer.prepare(request)
            await answer.write(b"half")
            request.transport.abort()
            return answer
        return web.Response(
            body=body, status=201, headers={"Content-Type": request.content_type, "X-Model": self.id}
        )


@asynccontextmanager
async def replicas(*ids: str, ready: bool = True) -> AsyncIterator[list[Replica]]:
    made, runners = [], []
    for name in ids:
        replica = Replica(name, port=free_port())
        if ready:
            replica.gate.set()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/predictions/digits", replica.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", replica.port).start()
        made.append(replica)
        runners.append(runner)
    try:
        yield made
    finally:
        for replica in made:
            replica.gate.set()
        for runner in runners:
            await runner.cleanup()


@dataclass
class RouterProcess:
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    url: str
    admin_url: str

    async def list_replicas(self, *listed: Replica) -> None:
        table = {SERVICE: [replica.listing for replica in listed]}
        async with self.session.put(f"{self.admin_url}/replicas", json=table) as answer:
            assert answer.status == 204, await answer.text()

    async def ask(
        self, body: bytes = b"x", service: str = SERVICE, **headers: str
    ) -> tuple[int, bytes, Mapping]:
        async with self.session.post(f"{self.url}/{service}", data=body, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers

    async def admin(self, path: str) -> str:
        async with self.session.get(f"{self.admin_url}{path}") as answer:
            return await answer.text()

    async def in_flight(self) -> dict[str, int]:
        return json.loads(await self.admin("/in-flight"))

    async def metric(self, series: str) -> float:
        for line in (await self.admin("/metrics")).splitlines():
            if line.startswith(f"{series} "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no series {series}")


async def start_router(config_path: Path, port: int, admin_port: int) -> asyncio.subprocess.Process:
    """A router process that answers on its admin port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "barista.platforms.local.router", str(config_path)
    )

    async def healthy() -> bool:
        assert process.returncode is None, "the router ended at its start"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{admin_port}/healthz"),
            ):
                return True
        except aiohttp.ClientConnectionError:
            return False

    await eventually(healthy)
    return process


@asynccontextmanager
async def running_router(directory: Path, **waits: float) -> AsyncIterator[RouterProcess]:
    port, admin_port = free_port(), free_port()
    config = {"host": "127.0.0.1", "port": port, "admin_port": admin_port, "services": {SERVICE: waits}}
    path = directory / "router.json"
    path.write_text(json.dumps(config))
    process = await start_router(path, port, admin_port)
    async with aiohttp.ClientSession() as session:
        router = RouterProcess(process, session, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}")
        try:
            yield router
        finally:  # the test may have started another one in its place
            if router.process.returncode is None:
                router.process.kill()
            await router.process.wait()
