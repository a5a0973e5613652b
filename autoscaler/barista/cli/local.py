"""A run on this machine: the supervisor with its Prometheus and its controller, put together.

`demo` and `run` share this. One directory holds everything that a run writes.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from barista.cli.compose import OURS, PROFILES, SPEC, ControllerSpec
from barista.cli.prepare import Prepared
from barista.platforms.local.process import free_ports
from barista.platforms.local.prometheus import Prometheus, backfill
from barista.platforms.local.service import LocalService
from barista.platforms.local.supervisor import Supervisor
from barista.platforms.local.torchserve import TorchServe
from barista.profile.store import write_profiles
from barista.values.series import Calendar, Demand
from barista.values.service import ServiceId

SCRAPE_INTERVAL_S = 1.0
CONTROLLER, PROMETHEUS = "controller", "prometheus"


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run in `directory` whose first replicas serve; it has neither Prometheus nor controller yet.

    The controller will tell of its forecasts on `metrics_port`.
    """

    directory: Path
    prepared: Prepared
    supervisor: Supervisor
    metrics_port: int

    async def start_prometheus(self, past: Mapping[ServiceId, Demand] | None = None) -> str:
        """Start a Prometheus that remembers the `past` demand; its URL once it answers."""
        (port,) = free_ports(1)
        prometheus = Prometheus(self.directory.resolve() / PROMETHEUS, port, SCRAPE_INTERVAL_S)
        router = self.supervisor.admin_url.removeprefix("http://")
        prometheus.configure([router, f"127.0.0.1:{self.metrics_port}"])
        if past:
            backfill(prometheus.directory, past)
        self.supervisor.start_child(PROMETHEUS, prometheus.argv(), restart=True)
        await prometheus.wait_ready()
        return prometheus.url

    def start_controller(
        self,
        prometheus_url: str,
        *,
        policy: str = OURS,
        policy_options: Mapping[str, object] | None = None,
        calendar: Calendar | None = None,
        seed: int = 0,
    ) -> None:
        """Start the controller, to be started again whenever it dies."""
        settings = self.prepared.settings
        spec = ControllerSpec(
            settings=settings.model_dump(mode="json", exclude_unset=True),
            policy=policy,
            policy_options=dict(policy_options or {}),
            calendar=calendar or settings.calendar(),
            seed=seed,
            agent_url=self.supervisor.agent_url,
            prometheus_url=prometheus_url,
            scrape_interval_s=SCRAPE_INTERVAL_S,
            metrics_port=self.metrics_port,
        )
        write_profiles(self.directory / PROFILES, self.prepared.profiles)
        spec.write(self.directory / SPEC)
        argv = (sys.executable, "-m", "barista", "control", str(self.directory.resolve()))
        self.supervisor.start_child(CONTROLLER, argv, restart=True, env={"OMP_NUM_THREADS": "1"})


@contextlib.asynccontextmanager
async def local_run(
    prepared: Prepared, directory: Path, progress: Callable[[str], None]
) -> AsyncIterator[LocalRun]:
    """Start router and first replicas in `directory`; everything ends with the context."""
    directory.mkdir(parents=True, exist_ok=True)
    services = [
        LocalService(
            service,
            prepared.archives[service.id],
            {name: p.planned_setup_s for name, p in prepared.profiles_of(service).items()},
        )
        for service in prepared.services
    ]
    initial = prepared.first_counts()
    progress(f"starting {sum(sum(counts.values()) for counts in initial.values())} replicas")
    supervisor = Supervisor(directory, services, prepared.settings.catalogue(), initial, TorchServe())
    async with supervisor:
        await supervisor.wait_ready()
        (metrics_port,) = free_ports(1)
        yield LocalRun(directory, prepared, supervisor, metrics_port)
