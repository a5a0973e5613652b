"""The largest rate that real TorchServe replicas keep within an SLO, measured and predicted."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from barista.capacity.make import capacity_model
from barista.models import build_models
from barista.platforms.local.cgroups import CpuLimiter
from barista.platforms.local.dispatch import Backend, Endpoint, Lane
from barista.platforms.local.torchserve import TorchServe
from barista.profile.loops import open_loop, warm_up
from barista.profile.measure import Effort, Subject, measure_profile
from barista.profile.running import Running, running
from barista.values.flavor import Flavor
from barista.values.profile import ExecutionProfile
from barista.values.service import DispatchRule, Slo

TIMES_SERVICE, PERCENTILE = 4.0, 0.95
RATES = (0.8, 0.9, 1.0, 1.1)
"""Shares of the predicted rate at which requests are sent."""


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


def measured_cases(models: Sequence[str], flavors: Sequence[str], seconds: float) -> Iterator[Measured]:
    """Each of `models` (of the store) on each of `flavors` (CPUxREPLICAS)."""
    for model, built in build_models(list(models)).items():
        subject = Subject(model, built.archive, built.body(), built.content_type)
        for text in flavors:
            cpu, _, replicas = text.partition("x")
            flavor = Flavor(f"cpu-{cpu}", "", float(cpu), 1.0, 1.0)
            effort = Effort(requests=400, seconds=max(10.0, seconds / 2))
            (profile,) = measure_profile(TorchServe(), subject, [flavor], CpuLimiter, effort)
            yield asyncio.run(_case(subject, flavor, int(replicas or 1), profile, seconds))


async def _case(
    subject: Subject, flavor: Flavor, replicas: int, profile: ExecutionProfile, seconds: float
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
        for number, share in enumerate(RATES):
            ramp = await open_loop(routed, share * predicted, seconds, seed=number)
            rates.append(share * predicted)
            counts.append(len(ramp.times_s))
            late.append(float(np.mean(np.array(ramp.times_s) > slo.latency_s)))
    note = "late " + " ".join(f"{share:.1%}" for share in late)
    return Measured(
        subject.model,
        flavor.cpu,
        replicas,
        slo,
        predicted,
        _rate_at(1 - PERCENTILE, rates, late, counts),
        note,
    )


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
    """The rate at which the share of late requests is `allowed`; its logarithm is taken as linear."""
    shares = np.array([max(share, 0.5 / n) for share, n in zip(late, counts, strict=True)])
    slope, start = np.polyfit(np.array(list(rates)), np.log(shares), 1)
    return float((np.log(allowed) - start) / slope) if slope > 0 else float("nan")
