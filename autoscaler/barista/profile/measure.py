"""Measuring execution profiles: one real server per flavor family, resized in place for each flavor.

Set-up time is measured first, at the family's largest cpu (a starting replica is given that much).
Then, on one warm server, each flavor's cpu quota is set in place and requests are sent in a closed
loop, as many at once as the server has workers: every worker is always busy and nothing queues, so
what is seen is service time. Raw quantiles are kept; no distribution is assumed.
"""

import asyncio
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from barista.ports.model_server import ModelServer
from barista.profile.running import CpuQuota, MeasureError, Running, running
from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a model's archive, and a request it can answer."""

    model: str
    archive: Path
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent: server starts in all; per flavor `requests`, or what `seconds` allow.

    A slow flavor takes longer than `seconds`, until `at_least` requests were sent: a percentile of fewer
    says little. `warm_up` requests are sent and forgotten first.
    """

    starts: int = 1
    requests: int = 200
    seconds: float = 6.0
    at_least: int = 30
    warm_up: int = 5

    def __post_init__(self) -> None:
        if self.starts < 1 or self.requests < 1 or not self.seconds > 0:
            raise ValueError(
                f"effort: starts {self.starts}, requests {self.requests}, seconds {self.seconds}:"
                " must all be above 0"
            )


def measure_profile(
    server: ModelServer,
    subject: Subject,
    flavors: Sequence[Flavor],
    quota: Callable[[], CpuQuota],
    effort: Effort | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[ExecutionProfile]:
    """Profiles of `subject` on `flavors`, in their order.

    The flavors are of one family and share its number of `workers` (default: the ceiling of the largest
    cpu given); `quota` makes a fresh cpu quota for each start. ValueError when they are of several
    families; MeasureError when the server does not start or refuses the request.
    """
    families = sorted({flavor.family for flavor in flavors})
    if len(families) != 1:
        raise ValueError(f"flavors of families {', '.join(families) or 'none'}: measure one family at a time")
    largest = max(flavor.cpu for flavor in flavors)
    return asyncio.run(
        _measure(
            server,
            subject,
            flavors,
            quota,
            effort or Effort(),
            workers or max(1, math.ceil(largest)),
            progress,
        )
    )


def machine_note() -> str:
    """This machine in words: cpu model and number of cores; part of what a profile holds for."""
    return f"{_cpu_model()}, {os.cpu_count() or 1} cores"


async def _measure(
    server: ModelServer,
    subject: Subject,
    flavors: Sequence[Flavor],
    quota: Callable[[], CpuQuota],
    effort: Effort,
    workers: int,
    progress: Callable[[str], None],
) -> list[ExecutionProfile]:
    largest = max(flavor.cpu for flavor in flavors)
    setups_s: list[float] = []
    for start in range(effort.starts):
        progress(f"{subject.model}: start {start + 1} of {effort.starts} at {largest:g} cpu")
        limit = quota()
        limit.limit(largest)
        try:
            async with running(server, subject.model, subject.archive, workers, limit) as replica:
                setups_s.append(replica.setup_s)
                if start + 1 == effort.starts:
                    setup_time = _of_few(setups_s)
                    return [
                        await _on_flavor(replica, subject, flavor, limit, setup_time, effort, progress)
                        for flavor in flavors
                    ]
        finally:
            limit.close()
    raise MeasureError(f"model {subject.model!r}: nothing was measured")


async def _on_flavor(
    replica: Running,
    subject: Subject,
    flavor: Flavor,
    limit: CpuQuota,
    setup_time: Distribution,
    effort: Effort,
    progress: Callable[[str], None],
) -> ExecutionProfile:
    progress(f"{subject.model}: on {flavor.name} ({flavor.cpu:g} cpu)")
    limit.limit(flavor.cpu)
    for _ in range(effort.warm_up):
        await replica.request(subject.body, subject.content_type)
    times_s = await _closed_loop(replica, subject, effort)
    return ExecutionProfile(
        model=subject.model,
        flavor=flavor.name,
        service_time=Distribution.of(times_s),
        setup_time=setup_time,
        memory_gib=replica.memory_gib(),
        workers=replica.launch.workers,
        requests=len(times_s),
    )


async def _closed_loop(replica: Running, subject: Subject, effort: Effort) -> list[float]:
    end = time.monotonic() + effort.seconds
    times_s: list[float] = []
    sent = 0

    async def client() -> None:
        nonlocal sent
        while sent < effort.requests and (sent < effort.at_least or time.monotonic() < end):
            sent += 1
            times_s.append(await replica.request(subject.body, subject.content_type))

    await asyncio.gather(*(client() for _ in range(replica.launch.workers)))
    return times_s


def _of_few(samples_s: Sequence[float]) -> Distribution:
    """As many quantiles as samples: more would pretend to know more."""
    if len(samples_s) == 1:
        return Distribution.constant(samples_s[0])
    return Distribution.of(samples_s, tuple(i / (len(samples_s) - 1) for i in range(len(samples_s))))


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
