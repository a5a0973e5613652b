"""The fleet: the replicas that exist on this machine, each living its life in a task of its own."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from barista.platforms.local.process import StartError, free_ports
from barista.platforms.local.reaper import Reaper
from barista.platforms.local.replicas import LocalReplica, ReplicaFault
from barista.platforms.local.routing import Route, RouterAdmin, Routing
from barista.platforms.local.server import ServerProcess
from barista.platforms.local.service import LocalService
from barista.platforms.local.usage import Meter, ServiceUsage
from barista.ports.model_server import Launch, ModelServer
from barista.values.flavor import Catalogue
from barista.values.replica import Phase, Replica
from barista.values.service import ServiceId

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with replicas of a service since one became ready: how often, and the last of it."""

    count: int = 0
    at_s: float = 0.0
    text: str = ""


class Fleet:
    """Replicas of `services` on `server`, and what they have used. To be used from one event loop.

    A replica's files are below `scratch` while it lives; what its server says goes to `logs`. `changed`
    is called after every change.
    """

    def __init__(
        self,
        services: Sequence[LocalService],
        catalogue: Catalogue,
        server: ModelServer,
        router: RouterAdmin,
        reaper: Reaper,
        scratch: Path,
        logs: Path,
        changed: Callable[[], None],
    ) -> None:
        self.routing = Routing(router, self._table)
        self._services = {service.id: service for service in services}
        self._catalogue = catalogue
        self._server = server
        self._reaper = reaper
        self._scratch = scratch
        self._logs = logs
        self._tell = changed
        self._meter = Meter(tuple(self._services), catalogue)
        self._replicas: dict[str, LocalReplica] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._numbers: Counter[str] = Counter()
        self._troubles: dict[ServiceId, Trouble] = {}

    def replicas(self, service: ServiceId) -> tuple[Replica, ...]:
        """The replicas of `service` as they are now, by the order of their ordering."""
        now_s = time.time()
        return tuple(r.view(now_s) for r in self._replicas.values() if r.seen.service == service)

    def trouble(self, service: ServiceId) -> Trouble:
        """What goes wrong with `service`; a count of 0 when nothing does."""
        return self._troubles.get(service, Trouble())

    def pids(self) -> dict[str, int]:
        """Process ids of the servers, by replica."""
        pids = ((id_, replica.process.pid) for id_, replica in self._replicas.items())
        return {id_: pid for id_, pid in pids if pid is not None}

    def usage(self) -> Mapping[ServiceId, ServiceUsage]:
        """What was used up to now."""
        return self._meter.usage(time.time())

    def order(self, service: ServiceId, flavor: str, *, initial: bool = False) -> None:
        """Start a replica of `flavor`; `initial` when the run begins with it."""
        local, now_s = self._services[service], time.time()
        setup_s = local.setup_s.get(flavor)
        seen = Replica(
            id=self._next_id(service),
            service=service,
            flavor=flavor,
            phase=Phase.STARTING,
            ordered_at_s=now_s,
            ready_at_s=None if setup_s is None else now_s + setup_s,
            lease_until_s=now_s + local.service.lease_s,
        )
        inference, management, metrics = free_ports(3)
        launch = Launch(
            local.service.model,
            local.archive,
            self._scratch / seen.id,
            inference,
            management,
            metrics,
            self._catalogue.workers(flavor),
        )
        process = ServerProcess(self._server, launch, self._reaper, self._logs / f"{seen.id}.log")
        replica = LocalReplica(seen, process, self._catalogue, self._changed)
        self._replicas[seen.id] = replica
        self._meter.order(seen.id, service, flavor, now_s, initial=initial)
        life = asyncio.create_task(self._live(replica))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        self._changed()

    def resize(self, replica: str, flavor: str) -> None:
        """Change `replica` to `flavor` of its family in place."""
        self._replicas[replica].resize(flavor)
        self._meter.change(replica, flavor, time.time())

    def dismiss(self, replica: str) -> None:
        """Let `replica` finish what it holds, and end it."""
        self._replicas[replica].leave()

    async def close(self) -> None:
        """End all replicas at once."""
        lives = tuple(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

    async def _live(self, replica: LocalReplica) -> None:
        try:
            if await replica.bring_up():
                self._troubles.pop(replica.seen.service, None)
                await replica.serve()
                if not await self.routing.drained(replica.seen.id):
                    log.warning("replica %s: ended with requests in flight", replica.seen.id)
        except (StartError, ReplicaFault) as fault:
            self._note(replica, str(fault))
        except Exception as error:
            log.exception("replica %s", replica.seen.id)
            self._note(replica, repr(error))
        finally:
            replica.leave()
            await replica.process.end()
            del self._replicas[replica.seen.id]
            self._meter.release(replica.seen.id, time.time())
            self._changed()

    def _note(self, replica: LocalReplica, fault: str) -> None:
        service = replica.seen.service
        log.warning("%s", fault)
        self._meter.crash(service)
        self._troubles[service] = Trouble(self.trouble(service).count + 1, time.monotonic(), fault)

    def _next_id(self, service: ServiceId) -> str:
        name = service.rpartition("/")[2]
        self._numbers[name] += 1
        return f"{name}-{self._numbers[name]}"

    def _changed(self) -> None:
        self.routing.changed()
        self._tell()

    def _table(self) -> dict[ServiceId, list[Route]]:
        table: dict[ServiceId, list[Route]] = {service: [] for service in self._services}
        for replica in self._replicas.values():
            if replica.route is not None:
                table[replica.seen.service].append(replica.route)
        return table
