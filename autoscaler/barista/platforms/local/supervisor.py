"""The supervisor: one local run. Its children are router, replicas and whatever else the run needs.

It keeps them alive, and they do not outlive it: at its end it ends them in order; if it is killed, the reaper
ends them within moments. Router and replicas live on when the controller, a child like others, dies.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from barista.platforms.local.agent import Agent
from barista.platforms.local.api import USAGE, agent_app
from barista.platforms.local.cgroups import remove_leftovers
from barista.platforms.local.children import Children
from barista.platforms.local.fleet import Fleet
from barista.platforms.local.process import free_ports
from barista.platforms.local.reaper import Reaper
from barista.platforms.local.routing import RouterAdmin
from barista.platforms.local.service import LocalService
from barista.platforms.local.usage import ServiceUsage
from barista.ports.model_server import ModelServer
from barista.values.flavor import Catalogue
from barista.values.replica import Counts
from barista.values.service import ServiceId

ROUTER = "router"
REAPER = "reaper"
LOOK_EVERY_S = 0.1
READY_WITHIN_S = 240.0

log = logging.getLogger("barista.platforms.local")


class Supervisor:
    """A run in `directory`: use as an async context manager, then `wait_ready`, then `start_child` the rest.

    Begins with `initial` replicas by flavor of each service. Once entered, `router_url` takes requests
    (``POST /namespace/name``), `admin_url` is the router's own, `agent_url` is for `LocalPlatform`.
    Requests wait in the router for at most `timeout_s`, at most `queue_limit` of a service.
    """

    def __init__(
        self,
        directory: Path,
        services: Sequence[LocalService],
        catalogue: Catalogue,
        initial: Mapping[ServiceId, Counts],
        server: ModelServer,
        *,
        queue_limit: int = 200,
        timeout_s: float = 30.0,
    ) -> None:
        self._directory = directory.resolve()
        self._logs = self._directory / "logs"
        self._waits = {s.id: {"queue_limit": queue_limit, "timeout_s": timeout_s} for s in services}
        self._services = services
        self._catalogue = catalogue
        self._initial = {service.id: initial.get(service.id, {}) for service in services}
        self._server = server
        self._router_port, self._admin_port, self._agent_port = free_ports(3)
        self.router_url = f"http://127.0.0.1:{self._router_port}"
        self.admin_url = f"http://127.0.0.1:{self._admin_port}"
        self.agent_url = f"http://127.0.0.1:{self._agent_port}"

    async def __aenter__(self) -> "Supervisor":
        async with contextlib.AsyncExitStack() as stack:
            await self._begin(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until all wanted replicas (at first the initial ones) serve. NotReady when they do not."""
        await self._agent.settled(within_s)

    def start_child(
        self, name: str, argv: Sequence[str], *, restart: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a process that ends with the run; one to `restart` is started again when it dies.

        It runs in the run's directory, with this process's environment and `env`, and writes to
        ``logs/<name>.log``. StartError when it cannot be started or the name is taken.
        """
        self._children.start(name, argv, restart=restart, env=env or {})

    async def wait_child(self, name: str) -> int:
        """Wait until a child that is not restarted has ended; its exit status, negative for a signal."""
        return await self._children.wait(name)

    async def stop_child(self, name: str) -> None:
        """Ask a child to end (TERM), and see that it does."""
        await self._children.stop(name)

    def child_pid(self, name: str) -> int:
        """Process id of a child, of ``router`` or of ``reaper``; KeyError when it does not run now."""
        return self._pids()[name]

    def usage(self) -> Mapping[ServiceId, ServiceUsage]:
        """What each service used up to now; after the end, in all."""
        return self._agent.usage()

    async def _begin(self, stack: contextlib.AsyncExitStack) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        stack.enter_context(_logging(self._logs / "supervisor.log"))
        remove_leftovers()
        self._reaper = Reaper()
        stack.callback(self._reaper.close)
        # Not in the run's directory: a model server's sockets need a short path.
        scratch = Path(tempfile.mkdtemp(prefix="barista-"))
        self._reaper.add("folder", scratch)
        stack.callback(self._reaper.remove, "folder", scratch)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        stack.callback((self._directory / "supervisor.json").unlink, missing_ok=True)

        self._children = Children(self._directory, self._logs, self._reaper, self._publish)
        self._fleet = Fleet(
            self._services,
            self._catalogue,
            self._server,
            RouterAdmin(self.admin_url),
            self._reaper,
            scratch,
            self._logs,
            self._publish,
        )
        self._agent = Agent(self._fleet, self._catalogue, self._initial)
        stack.callback(self._write_usage)
        stack.push_async_callback(self._fleet.close)
        await self._serve_api(stack)
        stack.push_async_callback(self._children.close)
        self._start_router()
        self._agent.begin()
        for run in (self._watch, self._agent.run, self._fleet.routing.run):
            stack.push_async_callback(_cancelled, asyncio.create_task(_kept(run)))

    async def _serve_api(self, stack: contextlib.AsyncExitStack) -> None:
        runner = web.AppRunner(agent_app(self._agent), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self._agent_port).start()

    def _start_router(self) -> None:
        config = self._directory / "router.json"
        document = {
            "host": "127.0.0.1",
            "port": self._router_port,
            "admin_port": self._admin_port,
            "services": self._waits,
        }
        config.write_text(json.dumps(document, indent=2))
        self.start_child(
            ROUTER, (sys.executable, "-m", "barista.platforms.local.router", str(config)), restart=True
        )

    async def _watch(self) -> None:
        while True:
            if self._reaper.ensure():
                log.warning("the reaper had died and was replaced")
                self._publish()
            self._children.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _pids(self) -> dict[str, int]:
        return {REAPER: self._reaper.pid, **self._children.pids()}

    def _publish(self) -> None:
        """Tell tools outside where everything is."""
        document = {
            "pid": os.getpid(),
            "router_url": self.router_url,
            "admin_url": self.admin_url,
            "agent_url": self.agent_url,
            "children": self._pids(),
            "replicas": self._fleet.pids(),
        }
        _write(self._directory / "supervisor.json", json.dumps(document, indent=2).encode())

    def _write_usage(self) -> None:
        _write(self._directory / "usage.json", USAGE.dump_json(dict(self.usage()), indent=2))


async def _kept(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A loop that must not end: a fault in it is logged, and it goes on."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s: goes on", run.__qualname__)
            await asyncio.sleep(LOOK_EVERY_S)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def _logging(path: Path) -> Iterator[None]:
    """What the local platform logs goes to `path`, too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(content)
    scratch.replace(path)
