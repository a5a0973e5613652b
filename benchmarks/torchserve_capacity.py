"""The largest rate that real TorchServe replicas keep within an SLO, measured and predicted.

A few hundred requests, which is what a slow model answers within minutes, are late more or less often by the
luck of when they come. So the arrivals that are sent at each rate are typical ones: of many sequences that in
which a queue of fixed service times makes as many late as it does on average.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from barista.capacity.make import capacity_model
from barista.models import build_models
from barista.platforms.local.cgroups import CpuLimiter
from barista.platforms.local.dispatch import Backend, Endpoint, Lane
from barista.platforms.local.torchserve import TorchServe
from barista.profile.loops import arrivals_s, open_loop, warm_up
from barista.profile.measure import Effort, Subject, measure_profile
from barista.profile.running import Running, running
from barista.values.flavor import Flavor
from barista.values.profile import ExecutionProfile
from barista.values.series import FloatArray
from barista.values.service import DispatchRule, Slo
from benchmarks.dispatching import waiting_s

TIMES_SERVICE, PERCENTILE = 4.0, 0.95
RATES = (0.9, 1.0, 1.1)
"""Shares of the predicted rate at which requests are sent."""
FEWEST = 240
"""Requests at each rate: of fewer, too few are late to tell rates apart that differ by some per cent."""
SEQUENCES = 200
"""Sequences of arrivals of which one is typical."""
BOUNDS = (0.7, 0.85, 1.0, 1.2)
"""Shares of the SLO at which lateness is typical."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one model on so many replicas of a flavor."""

    model: str
    cpu: float
    replicas: int
    slo: Slo
    predicted_rps: float
    measured_rps: float
    note: str


def measured_cases(
    models: Sequence[str], flavors: Sequence[str], seconds: float, say: Callable[[str], None]
) -> Iterator[Measured]:
    """Each of `models` (of the store) on each of `flavors` (CPUxREPLICAS); `say` is told how it goes."""
    for model, built in build_models(list(models)).items():
        subject = Subject(model, built.archive, built.body(), built.content_type)
        for text in flavors:
            cpu, _, replicas = text.partition("x")
            flavor = Flavor(f"cpu-{cpu}", "", float(cpu), 1.0, 1.0)
            effort = Effort(requests=400, seconds=max(10.0, seconds / 3), at_least=30, ramp=True)
            (profile,) = measure_profile(TorchServe(), subject, [flavor], CpuLimiter, effort, progress=say)
            yield asyncio.run(_case(subject, flavor, int(replicas or 1), profile, seconds, say))


async def _case(
    subject: Subject,
    flavor: Flavor,
    replicas: int,
    profile: ExecutionProfile,
    seconds: float,
    say: Callable[[str], None],
) -> Measured:
    slo = Slo(TIMES_SERVICE * profile.service_time.mean_s, PERCENTILE)
    predicted = capacity_model("mgc").rps(profile, slo, DispatchRule.LEAST_LOADED, replicas)
    rates, late, counts = [], [], []
    async with contextlib.AsyncExitStack() as stack:
        limits = [CpuLimiter() for _ in range(replicas)]
        for limit in limits:
            stack.callback(limit.close)
            limit.limit(max(1.0, flavor.cpu))
        servers = [
            await stack.enter_async_context(
                running(TorchServe(), subject.model, subject.archive, profile.workers, limit)
            )
            for limit in limits
        ]
        for limit in limits:
            limit.limit(flavor.cpu)
        routed = Routed(servers, subject, profile.workers)
        await warm_up(routed, replicas, 10 * replicas)
        for share in RATES:
            rate = share * predicted
            requests = max(round(seconds * rate), FEWEST)
            seed = _typical(rate, requests, replicas * profile.workers, profile, slo)
            ramp = await open_loop(routed, rate, requests / rate, seed)
            rates.append(rate)
            counts.append(len(ramp.times_s))
            late.append(float(np.mean(np.array(ramp.times_s) > slo.latency_s)))
            say(f"{subject.model} on {flavor.name}: at {rate:.2f} requests/s {late[-1]:.1%} late")
    note = f"ahead {profile.ahead_s * 1000:.1f} ms, late " + " ".join(f"{share:.1%}" for share in late)
    return Measured(
        subject.model,
        flavor.cpu,
        replicas,
        slo,
        predicted,
        _rate_at(1 - PERCENTILE, rates, late, counts),
        note,
    )


def _typical(rate: float, requests: int, servers: int, profile: ExecutionProfile, slo: Slo) -> int:
    """The seed of a sequence of arrivals that makes as many late as is usual."""
    times_s = np.full(requests, profile.service_time.mean_s)
    bounds_s = np.array(BOUNDS)[:, None] * slo.latency_s

    def late(seed: int) -> FloatArray:
        due_s = np.array(arrivals_s(rate, requests, seed))
        stayed_s = waiting_s(due_s, times_s, DispatchRule.LEAST_LOADED, servers) + times_s
        shares: FloatArray = np.mean(stayed_s > bounds_s, axis=1)
        return shares

    found = np.array([late(seed) for seed in range(SEQUENCES)])
    usual = found.mean(axis=0)
    return int(np.argmin(np.abs(found - usual) @ (1 / np.maximum(usual, 1 / requests))))


class Routed:
    """Replicas behind the local router's dispatch, without its process."""

    def __init__(self, servers: Sequence[Running], subject: Subject, workers: int) -> None:
        self._servers = {str(number): server for number, server in enumerate(servers)}
        self._subject = subject
        self._lane: Lane[asyncio.Future[Backend]] = Lane(queue_limit=100_000)
        self._lane.list_replicas([Endpoint(name, name, workers) for name in self._servers], 0.0)

    async def ask(self) -> float:
        """Seconds that one request waits and is served."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        ticket: asyncio.Future[Backend] = loop.create_future()
        self._lane.join(ticket)
        self._match()
        backend = await ticket
        try:
            await self._servers[backend.endpoint.id].request(self._subject.body, self._subject.content_type)
        finally:
            self._lane.release(backend)
            self._match()
        return loop.time() - begun

    def _match(self) -> None:
        while (pair := self._lane.match()) is not None:
            ticket, backend = pair
            ticket.set_result(backend)


def _rate_at(allowed: float, rates: Iterable[float], late: Sequence[float], counts: Sequence[int]) -> float:
    """The rate at which the share of late requests is `allowed`; its logarithm is taken as linear.

    The more requests are late, the surer their share is, and the more it counts.
    """
    seen = np.maximum(np.array(late) * counts, 0.5)
    slope, start = np.polyfit(np.array(list(rates)), np.log(seen / counts), 1, w=np.sqrt(seen))
    return float((np.log(allowed) - start) / slope) if slope > 0 else float("nan")
