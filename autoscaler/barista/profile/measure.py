"""Measuring execution profiles: one real server per flavor family, resized in place for each flavor.

Set-up time is measured first, at the family's largest cpu (a starting replica is given that much).
Then, on one server, each flavor's cpu quota is set in place and, once it is warm, requests are sent in
closed loops, with one client and up to as many as the server has workers: nothing queues, so what is seen is
service time. Where asked, an open loop follows, faster and faster, until the server no longer keeps up;
it also tells how far requests that come by chance are ahead of what the service times foretell.
Raw quantiles are kept, with the bounds of the percentiles and the family that fits best beside them.
"""

import asyncio
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from barista.ports.model_server import ModelServer
from barista.profile.cells import Cell, Cells
from barista.profile.fit import best_fit
from barista.profile.intervals import intervals
from barista.profile.loops import arrivals_s, closed_loop, open_loop, warm_up
from barista.profile.noise import Machine, Watch, noise_in
from barista.profile.pauses import ahead_s, dispersion
from barista.profile.running import CpuQuota, MeasureError, Running, running
from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile

RAMP = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
"""Rates of the open loop, as shares of what the closed loop ended with all workers busy."""

BUSY = 0.7
"""The one at which it is seen how far an open loop is ahead: requests queue, and it keeps up."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a model's archive, and a request it can answer."""

    model: str
    archive: Path
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent: server starts in all; per flavor and load `requests`, or what `seconds` allow.

    A slow flavor takes longer than `seconds`, until `at_least` requests were sent: a percentile of fewer
    says little. `warm_up` requests make a batch of warming up. `ramp` adds the open loop; with
    `refuse_noise`, times that the machine disturbed are an error and not only said.
    """

    starts: int = 1
    requests: int = 200
    seconds: float = 6.0
    at_least: int = 30
    warm_up: int = 5
    ramp: bool = False
    refuse_noise: bool = False

    def __post_init__(self) -> None:
        if self.starts < 1 or self.requests < 1 or not self.seconds > 0:
            raise ValueError(
                f"effort: starts {self.starts}, requests {self.requests}, seconds {self.seconds}:"
                " must all be above 0"
            )


@dataclass(frozen=True, slots=True)
class _Bench:
    """What one measurement works with."""

    server: ModelServer
    subject: Subject
    quota: Callable[[], CpuQuota]
    effort: Effort
    workers: int
    cells: Cells
    progress: Callable[[str], None]


def measure_profile(
    server: ModelServer,
    subject: Subject,
    flavors: Sequence[Flavor],
    quota: Callable[[], CpuQuota],
    effort: Effort | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
    cells: Cells | None = None,
) -> list[ExecutionProfile]:
    """Profiles of `subject` on `flavors`, in their order.

    The flavors are of one family and share its number of `workers` (default: the ceiling of the largest
    cpu given); `quota` makes a fresh cpu quota for each start. What `cells` hold is not measured again.
    ValueError when they are of several families; MeasureError when the server does not start or refuses the
    request, or the times are too noisy.
    """
    families = sorted({flavor.family for flavor in flavors})
    if len(families) != 1:
        raise ValueError(f"flavors of families {', '.join(families) or 'none'}: measure one family at a time")
    largest = max(flavor.cpu for flavor in flavors)
    bench = _Bench(
        server,
        subject,
        quota,
        effort or Effort(),
        workers or max(1, math.ceil(largest)),
        cells or Cells(),
        progress,
    )
    return asyncio.run(_measure(bench, flavors, largest))


def machine_note() -> str:
    """This machine in words: cpu model and number of cores; part of what a profile holds for."""
    return f"{_cpu_model()}, {os.cpu_count() or 1} cores"


async def _measure(bench: _Bench, flavors: Sequence[Flavor], largest: float) -> list[ExecutionProfile]:
    starts = bench.cells.get("starts")
    setups_s = list(starts.times_s) if starts else []
    while True:
        bench.progress(
            f"{bench.subject.model}: start {len(setups_s) + 1} of {bench.effort.starts} at {largest:g} cpu"
        )
        limit = bench.quota()
        limit.limit(largest)
        try:
            async with running(
                bench.server, bench.subject.model, bench.subject.archive, bench.workers, limit
            ) as replica:
                setups_s.append(replica.setup_s)
                bench.cells.put("starts", Cell(tuple(setups_s)))
                if len(setups_s) >= bench.effort.starts:
                    setup_time = _of_few(setups_s)
                    return [
                        _profile(bench, flavor, setup_time, await _on_flavor(bench, replica, flavor, limit))
                        for flavor in flavors
                    ]
        finally:
            limit.close()


@dataclass(slots=True)
class _Seen:
    """What was measured of one flavor: closed loops by clients, open loops by rate."""

    closed: dict[int, Cell] = field(default_factory=dict)
    ramp: dict[float, Cell] = field(default_factory=dict)


async def _on_flavor(bench: _Bench, replica: Running, flavor: Flavor, limit: CpuQuota) -> _Seen:
    effort, asked = bench.effort, _Asked(replica, bench.subject)
    limit.limit(flavor.cpu)
    seen, is_warm = _Seen(), False
    for clients in _clients(bench.workers):
        name = f"{flavor.name}-{clients}"
        cell = bench.cells.get(name)
        if cell is None:
            bench.progress(f"{bench.subject.model}: on {flavor.name} ({flavor.cpu:g} cpu), {clients} at once")
            if not is_warm:
                await warm_up(asked, bench.workers, effort.warm_up * bench.workers)
                is_warm = True
            watch = Watch()
            times_s = await closed_loop(asked, clients, effort.seconds, effort.at_least, effort.requests)
            cell = Cell(tuple(times_s), watch.seen(), replica.memory_gib())
            _judge(bench, flavor, cell)
            bench.cells.put(name, cell)
        seen.closed[clients] = cell
    if effort.ramp:
        mean_s = Distribution.of(seen.closed[bench.workers].times_s).mean_s
        for share in RAMP:
            rps = share * bench.workers / mean_s
            cell = bench.cells.get(f"{flavor.name}-ramp-{share:g}")
            if cell is None:
                bench.progress(f"{bench.subject.model}: on {flavor.name}, {rps:.3g} requests/s")
                ramp = await open_loop(asked, rps, max(effort.seconds, effort.at_least / rps))
                cell = bench.cells.put(
                    f"{flavor.name}-ramp-{share:g}", Cell(ramp.times_s, Machine(), 0.0, ramp.kept_up)
                )
            seen.ramp[rps] = cell
            if not cell.kept_up:
                break
    return seen


def _judge(bench: _Bench, flavor: Flavor, cell: Cell) -> None:
    noise = noise_in(cell.times_s, cell.machine)
    if noise is None:
        return
    text = f"model {bench.subject.model!r} on flavor {flavor.name!r}: too noisy to trust: {noise}"
    if bench.effort.refuse_noise:
        raise MeasureError(text)
    bench.progress(text)


def _profile(bench: _Bench, flavor: Flavor, setup_time: Distribution, seen: _Seen) -> ExecutionProfile:
    full = seen.closed[bench.workers]
    by_concurrency = tuple((n, Distribution.of(cell.times_s)) for n, cell in sorted(seen.closed.items()))
    service_time, together = Distribution.of(full.times_s), dispersion(full.times_s)
    held = [rps for rps, cell in seen.ramp.items() if cell.kept_up]
    ahead = [
        ahead_s(
            arrivals_s(rps, len(cell.times_s)), cell.times_s, service_time.evened(together), bench.workers
        )
        for share, (rps, cell) in zip(RAMP, seen.ramp.items(), strict=False)
        if share == BUSY
    ]
    return ExecutionProfile(
        model=bench.subject.model,
        flavor=flavor.name,
        service_time=service_time,
        setup_time=setup_time,
        memory_gib=max(cell.memory_gib for cell in seen.closed.values()),
        workers=bench.workers,
        requests=len(full.times_s),
        by_concurrency=by_concurrency if bench.workers > 1 else (),
        intervals=intervals(full.times_s),
        fit=best_fit(full.times_s),
        saturation_rps=max(held) if held else None,
        dispersion=together,
        ahead_s=ahead[0] if ahead else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A running server with the request that it is asked."""

    replica: Running
    subject: Subject

    async def ask(self) -> float:
        return await self.replica.request(self.subject.body, self.subject.content_type)


def _clients(workers: int) -> Iterator[int]:
    """How many clients: one, two, four and so on, and at last as many as there are workers."""
    clients = 1
    while clients < workers:
        yield clients
        clients *= 2
    yield workers


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
