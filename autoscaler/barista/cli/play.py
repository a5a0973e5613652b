"""Plays a trace against real replicas under a policy, and leaves a recording in the run's directory."""

import asyncio
import json
import math
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from barista.cli.failures import PlayError
from barista.cli.local import LocalRun, local_run
from barista.cli.prepare import Prepared
from barista.cli.trace import DAY, Trace
from barista.control.log import QUALITIES, LogFiles
from barista.load.departures import TIME_ZONE
from barista.load.plan import LoadPlan, Stream
from barista.platforms.local.prometheus import version as prometheus_version
from barista.platforms.local.torchserve import TorchServe
from barista.platforms.local.usage import ServiceUsage
from barista.report.live import LiveView
from barista.report.recording import REQUESTS, RUN, USAGE, read_info, read_run
from barista.values.service import ServiceId

LOAD = "load"
LEAD_IN_S = 8.0
"""From the start of Prometheus and controller to the beginning of the day: they need a few seconds."""


async def play(prepared: Prepared, trace: Trace, policy: str, directory: Path, console: Console) -> None:
    """Play `trace` under `policy`; `directory` (emptied first) then holds a recording.

    Raises NotReady, PrometheusError, PlayError.
    """
    shutil.rmtree(directory, ignore_errors=True)
    async with local_run(prepared, directory, lambda text: console.print(f"{policy}: {text}")) as run:
        used = await _play(run, trace, policy, console)
    # The supervisor's own count begins with its first replicas; this one is that of the day.
    (directory / USAGE).write_text(json.dumps(used))
    _complete(directory)


async def _play(run: LocalRun, trace: Trace, policy: str, console: Console) -> Mapping[str, Any]:
    now_s = time.time()
    start_s = math.ceil((now_s + LEAD_IN_S) / trace.step_s) * trace.step_s
    (run.directory / RUN).write_text(json.dumps(_info(run.prepared, trace, policy, start_s), indent=1))
    prometheus_url = await run.start_prometheus(trace.past_until(start_s, now_s))
    run.start_controller(
        prometheus_url,
        policy=policy,
        policy_options={"peak_rps": trace.peak_rps} if policy == "static" else {},
        calendar=trace.calendar(start_s),
        seed=trace.seed,
    )
    _start_load(run, trace, start_s)
    await asyncio.sleep(max(0.0, start_s - time.time()))
    before = run.supervisor.usage()
    await _watched(run, console)
    return _used(before, run.supervisor.usage())


async def _watched(run: LocalRun, console: Console) -> None:
    """Show the run until the load has ended."""
    over = threading.Event()
    view = LiveView(run.directory, read_info(run.directory), console)
    shown = asyncio.create_task(asyncio.to_thread(view.follow, over.is_set))
    try:
        status = await run.supervisor.wait_child(LOAD)
    finally:
        over.set()
        await shown
    if status:
        raise PlayError(f"load: ended with status {status}: see {run.directory / 'logs' / 'load.log'}")


def _start_load(run: LocalRun, trace: Trace, start_s: float) -> None:
    streams = {}
    for service in run.prepared.services:
        name = service.id.replace("/", "-")
        np.save(run.directory / f"{name}.npy", trace.arrivals[service.id])
        model = run.prepared.models[service.model]
        streams[str(service.id)] = Stream(
            url=f"{run.supervisor.router_url}/{service.id}",
            body=model.sample,
            arrivals=Path(f"{name}.npy"),
            content_type=model.content_type,
        )
    plan = run.directory / "load.json"
    LoadPlan(start_s=start_s, duration_s=60 * trace.minutes, services=streams, requests=Path(REQUESTS)).write(
        plan
    )
    argv = (sys.executable, "-m", "barista.load.client", str(plan.resolve()))
    run.supervisor.start_child(LOAD, argv)


def _used(
    before: Mapping[ServiceId, ServiceUsage], after: Mapping[ServiceId, ServiceUsage]
) -> dict[str, dict[str, Any]]:
    """What was used in between, as the recording holds it."""
    return {
        service: asdict(
            ServiceUsage(
                {
                    flavor: seconds - before[service].replica_seconds.get(flavor, 0.0)
                    for flavor, seconds in usage.replica_seconds.items()
                },
                usage.cost - before[service].cost,
                usage.cold_starts - before[service].cold_starts,
                usage.crashes - before[service].crashes,
            )
        )
        for service, usage in after.items()
    }


def _info(prepared: Prepared, trace: Trace, policy: str, start_s: float) -> dict[str, Any]:
    return {
        "policy": policy,
        "started_s": start_s,
        "minutes": trace.minutes,
        "seed": trace.seed,
        "clock": {"rate": trace.rate, "day": DAY.isoformat(), "time_zone": TIME_ZONE},
        "services": {
            service.id: {
                "model": service.model,
                "slo_latency_s": service.slo.latency_s,
                "slo_percentile": service.slo.percentile,
                "flavors": service.flavors,
            }
            for service in prepared.services
        },
        "flavors": {
            flavor.name: {"cpu": flavor.cpu, "cost_per_hour": flavor.cost_per_hour}
            for flavor in prepared.settings.catalogue().flavors.values()
        },
        "components": {},
    }


def _complete(directory: Path) -> None:
    """Note the versions of what was used; of what was not, None."""
    run = read_run(directory)
    forecasters = {
        seen.forecast.made_by for c in run.cycles for seen in c.services.values() if seen.forecast is not None
    }
    # The members of an ensemble are judged by their own names.
    quality = LogFiles(directory).quality
    if quality.exists():
        forecasters |= {seen.forecaster for seen in QUALITIES.validate_json(quality.read_bytes())}
    planners = {cycle.plan.planner for cycle in run.cycles if cycle.plan is not None}
    components = {
        "torchserve": TorchServe().version(),
        "prometheus": prometheus_version(),
        "neuralprophet": _version("neuralprophet", "neuralprophet" in forecasters),
        "cbc": _version("cbcbox", any("mip" in planner for planner in planners)),
    }
    document = json.loads((directory / RUN).read_text())
    (directory / RUN).write_text(json.dumps(document | {"components": components}, indent=1))


def _version(package: str, used: bool) -> str | None:
    return version(package) if used else None
