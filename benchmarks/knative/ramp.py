"""A ramp, for two services of one model at once: one scaled by Barista, the other by Knative's KPA alone.

Both meet the same arrivals through ingress, activator and queue-proxy. A replica takes 100 ms for a request,
works on one at a time, and serves 10 s after its container started. The KPA has its defaults; Barista
has `floor` and its default forecaster without history, so that all it can foresee is the trend.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from barista.load.arrivals import poisson_arrivals
from barista.values.series import Demand, FloatArray
from tests.cluster.cluster import Cluster
from tests.cluster.controllers import Running, installed
from tests.cluster.images import STUB
from tests.cluster.rest import until
from tests.cluster.served import Served, opted_in

SLO_S = 0.4
LOW_RPS, STEP_S = 2.0, 5.0
QUIET_S, RISE_S, BUSY_S, AFTER_S = 60.0, 120.0, 60.0, 60.0
TIMEOUT_S = 30.0
MODEL = (
    *("--image", STUB, "--env", "SERVICE_TIME=100ms", "--env", "START_DELAY=10s", "--concurrency-limit", "1"),
    *("--limit", "cpu=1,memory=256Mi", "--scale-min", "1", "--scale-max", "12"),
    *("--annotation", "autoscaling.knative.dev/target-burst-capacity=-1"),
)
CONFIGURATION = """
pools: {cpu: {cpu: 60, memory_gib: 200}}
flavors: {cpu-1: {pool: cpu, cpu: 1, memory_gib: 0.25, cost_per_hour: 0.05}}
defaults:
  forecaster: {name: ensemble, options: {members: [seasonal-naive, last-value, ridge, smoothing, burst]}}
prometheus: {url: "http://prometheus.monitoring:9090", scrape_interval_s: 2}
control: {cycle_s: 5, step_min_s: 5, window_s: 20, stabilisation_s: 30, stale_after_s: 30}
"""


@dataclass(slots=True)
class Seen:
    """What became of the requests to one service, and what it held meanwhile."""

    latencies_s: list[float]
    failed: int = 0
    replica_s: float = 0.0

    def row(self, name: str) -> str:
        """As a row of the table: a request that failed broke its objective too."""
        took = np.array(self.latencies_s)
        broken = (int((took > SLO_S).sum()) + self.failed) / max(1, len(took) + self.failed)
        p50, p95 = np.quantile(took, (0.5, 0.95)) * 1000
        return f"{name:<10}{p50:>9.0f}{p95:>9.0f}{broken:>12.1%}{self.failed:>8}{self.replica_s:>14.0f}"


def ramp(cluster: Cluster, directory: Path, peak_rps: float, seed: int) -> str:
    """The table of both services."""
    installed(cluster)
    (directory / "barista.yaml").write_text(CONFIGURATION)
    controller = Running(cluster, directory)
    controller.start()
    try:
        namespace = cluster.create_namespace("ramp")
        services = {
            "Barista": opted_in(cluster, namespace, "ours", "floor", image=MODEL, setup_s=12.0),
            "KPA": Served(cluster, namespace, "theirs", image=MODEL, setup_s=12.0),
        }
        until(lambda: services["Barista"].plan().get("forecast"), "a forecast", 120)
        arrivals_s = _arrivals(peak_rps, seed)
        seen = {name: Seen([]) for name in services}
        with _counting(services, seen):
            urls = {name: service.url for name, service in services.items()}
            asyncio.run(_send(cluster.ingress_url, urls, arrivals_s, seen))
    finally:
        controller.end()
    head = f"{'':<10}{'p50 ms':>9}{'p95 ms':>9}{'over SLO':>12}{'failed':>8}{'replica-s':>14}"
    about = f"{len(arrivals_s)} requests each, {LOW_RPS:g} to {peak_rps:g} a second, SLO {SLO_S * 1000:g} ms"
    return "\n".join((about, head, *(part.row(name) for name, part in seen.items())))


def _arrivals(peak_rps: float, seed: int) -> FloatArray:
    """Times (s) of the requests from the start: quiet, a straight rise, busy, quiet again."""
    steps = np.arange(0.0, QUIET_S + RISE_S + BUSY_S + AFTER_S, STEP_S)
    corners = np.cumsum([0.0, QUIET_S, RISE_S, BUSY_S, STEP_S])
    rates = np.interp(steps, corners, [LOW_RPS, LOW_RPS, peak_rps, peak_rps, LOW_RPS])
    return poisson_arrivals(Demand(0.0, STEP_S, rates), seed)


async def _send(
    ingress: str, urls: Mapping[str, str], arrivals_s: FloatArray, seen: Mapping[str, Seen]
) -> None:
    """Each arrival to every service, open loop: latency counts from when it was due."""
    began_s = time.monotonic()
    timeout, sent = aiohttp.ClientTimeout(total=TIMEOUT_S), set[asyncio.Task[None]]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

        async def ask(name: str, due_s: float) -> None:
            headers = {"Host": urls[name].removeprefix("http://")}
            try:
                async with session.get(ingress, headers=headers) as answer:
                    await answer.read()
                    good = answer.status == 200
            except (aiohttp.ClientError, OSError, TimeoutError):
                good = False
            if good:
                seen[name].latencies_s.append(time.monotonic() - began_s - due_s)
            else:
                seen[name].failed += 1

        for due_s in arrivals_s:
            await asyncio.sleep(max(0.0, began_s + float(due_s) - time.monotonic()))
            sent |= {asyncio.create_task(ask(name, float(due_s))) for name in urls}
        await asyncio.gather(*sent)


@contextmanager
def _counting(services: Mapping[str, Served], seen: Mapping[str, Seen]) -> Iterator[None]:
    """Within, replicas are counted every second, ready or not: they are paid for alike."""
    over = threading.Event()

    def count() -> None:
        before_s = time.monotonic()
        while not over.wait(1.0):
            now_s = time.monotonic()
            for name, service in services.items():
                seen[name].replica_s += len(service.pods()) * (now_s - before_s)
            before_s = now_s

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
