"""The Prometheus beside the local platform: found, configured, filled with the past, waited for.

It keeps demand history, so that forecasters have weeks to learn from after a restart, and is the
same software that an operator has on a cluster. Scraped series keep the label `service` only (no
job, no instance): a backfilled past and a restarted router then continue one and the same series.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
import yaml

from barista.platforms.local.router_metrics import ARRIVALS
from barista.values.series import DAY_S, Demand
from barista.values.service import ServiceId

MEND = "install it (Debian: apt-get install prometheus; macOS: brew install prometheus)"
READY_WITHIN_S = 30.0
LONGEST_BLOCK = "336h"
DATA = "data"
SAMPLES_PER_STEP = 4
"""Enough for whoever reads the past on other steps, or as a rate over a short window."""


class PrometheusError(Exception):
    """Prometheus or promtool is missing or failed; the message says which, and what to do."""


def find_prometheus(name: str = "prometheus") -> Path:
    """Path of the program `name` (prometheus or promtool). PrometheusError when it is not on PATH."""
    found = shutil.which(name)
    if found is None:
        raise PrometheusError(f"{name}: not on PATH: {MEND}")
    return Path(found)


def version() -> str:
    """Version of the Prometheus on PATH, e.g. ``2.42.0+ds``. PrometheusError when there is none."""
    ended = subprocess.run([find_prometheus(), "--version"], capture_output=True, text=True, check=False)
    words = (ended.stdout or ended.stderr).split()
    return words[words.index("version") + 1] if "version" in words else "unknown"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server on loopback: what it scrapes how often, where it stores, how long it remembers.

    All its files are in `directory`; the data in ``directory/data``.
    """

    directory: Path
    port: int
    scrape_interval_s: float = 1.0
    retention_s: float = 35 * DAY_S

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def configure(self, targets: Sequence[str]) -> None:
        """Write its configuration, with `targets` (``host:port``) to scrape."""
        interval = f"{round(self.scrape_interval_s * 1000)}ms"
        scrape = {
            "job_name": "router",
            "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "5s"}],
            "metric_relabel_configs": [{"action": "labeldrop", "regex": "job|instance"}],
        }
        document = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": [scrape],
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(document, sort_keys=False))
        self.scrape(targets)

    def scrape(self, targets: Sequence[str]) -> None:
        """Change what is scraped, also while it runs."""
        written = self.directory / "targets.json.new"
        written.write_text(json.dumps([{"targets": list(targets)}]))
        written.replace(self.directory / "targets.json")

    def argv(self) -> list[str]:
        """The command that runs it. PrometheusError when it is not installed."""
        return [
            str(find_prometheus()),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / DATA}",
            f"--storage.tsdb.retention.time={round(self.retention_s)}s",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]

    async def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Return once it answers queries; its first scrape may be 5 s later.

        PrometheusError when it does not within `within_s`.
        """
        until_s = time.monotonic() + within_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while time.monotonic() < until_s:
                try:
                    async with session.get(f"{self.url}/-/ready") as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.1)
        raise PrometheusError(f"prometheus on port {self.port}: not ready after {within_s:g} s: see its log")


def backfill(directory: Path, series: Mapping[ServiceId, Demand]) -> None:
    """Store the past demand of services in the Prometheus of `directory`, before it starts.

    Steps must start on multiples of their length since the epoch, as `history` reads them
    (ValueError otherwise), and end in the past: nothing older than what is stored is scraped. A NaN
    step is a gap; the first step after a gap is lost with it, as one sample alone tells no rate.
    PrometheusError when promtool is missing or fails.
    """
    lines = [f"# TYPE {ARRIVALS.removesuffix('_total')} counter\n"]
    for service, demand in series.items():
        lines.extend(_counter(service, demand))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "past.om"
        path.write_text("".join((*lines, "# EOF\n")))
        argv = [str(find_prometheus("promtool")), "tsdb", "create-blocks-from", "openmetrics"]
        argv += [f"--max-block-duration={LONGEST_BLOCK}", str(path), str(directory / DATA)]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PrometheusError(f"promtool: backfill of {', '.join(series)}: {ended.stderr.strip()}")


def _counter(service: ServiceId, demand: Demand) -> Iterator[str]:
    """The lines of one service's counter: samples at the ends of its steps and evenly within them."""
    start = demand.start_s / demand.step_s
    if abs(start - round(start)) > 1e-6:
        raise ValueError(
            f"backfill of {service}: start {demand.start_s} s is not a multiple of the step,"
            f" {demand.step_s:g} s: start at {np.floor(start) * demand.step_s:.3f}"
        )
    steps, known = len(demand), np.isfinite(demand.values)
    counted = np.concatenate(([0.0], np.cumsum(np.where(known, demand.values, 0.0) * demand.step_s)))
    at_step = np.arange(steps * SAMPLES_PER_STEP + 1) / SAMPLES_PER_STEP
    counts = np.interp(at_step, np.arange(steps + 1), counted)
    # The start of a step is told by the step before it: after a gap it is not, so no two neighbours
    # enclose a gap, and it cannot be read as a time without arrivals.
    sampled = np.concatenate((known[:1], np.repeat(known, SAMPLES_PER_STEP)))
    times_s = demand.start_s + at_step * demand.step_s
    for at_s, count in zip(times_s[sampled], counts[sampled], strict=True):
        yield f'{ARRIVALS}{{service="{service}"}} {count:.6f} {at_s:.3f}\n'
