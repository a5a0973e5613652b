"""A local run to test with: the digits model on real TorchServe, and ways to ask and to wait."""

import asyncio
import inspect
import time

import aiohttp
import psutil

from barista.models import build_models
from barista.platforms.local.service import LocalService
from barista.platforms.local.supervisor import Supervisor
from barista.platforms.local.torchserve import TorchServe
from barista.values.decision import Decision, Horizontal
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.service import Authority, Service, ServiceId, Slo

DIGITS = ServiceId("default/digits")
CATALOGUE = Catalogue(
    {"local": Pool("local", cpu=2, memory_gib=8)},
    {
        name: Flavor(name, "local", cpu, 1, cost_per_hour=cpu, family="one-worker")
        for name, cpu in (("slow", 0.1), ("half", 0.5), ("full", 1.0))
    },
)


def service(**settings):
    return Service(DIGITS, "digits", Slo(0.25), tuple(CATALOGUE.flavors), **settings)


def supervisor(directory, *, initial, server=None, **settings):
    archive = build_models(["digits"])["digits"].archive
    local = LocalService(service(**settings), archive, dict.fromkeys(CATALOGUE.flavors, 5.0))
    return Supervisor(directory, [local], CATALOGUE, {DIGITS: initial}, server or TorchServe())


def decision(final, authority=Authority.PIN, service=DIGITS):
    # The platform hands on what changes something; what it really changes, the agent sees for itself.
    changes = tuple(Horizontal(flavor, 0, count) for flavor, count in final.items()) or (
        Horizontal("any", 1, 0),
    )
    return Decision(service, 0.0, authority, {}, final, final, final, changes, 0.0, ())


async def ask(session, run):
    """One request for the sample: status, answer, latency in seconds, replica."""
    model = build_models(["digits"])["digits"]
    begin = time.perf_counter()
    async with session.post(
        f"{run.router_url}/{DIGITS}", data=model.body(), headers={"Content-Type": model.content_type}
    ) as answer:
        said = await answer.json(content_type=None) if answer.ok else await answer.text()
        return answer.status, said, time.perf_counter() - begin, answer.headers.get("X-Barista-Replica")


async def load(session, run, rps, until):
    """Requests at `rps`, each waiting for no other, until the event `until`; their answers."""
    asked = []
    while not until.is_set():
        asked.append(asyncio.create_task(ask(session, run)))
        await asyncio.sleep(1 / rps)
    return await asyncio.gather(*asked)


async def eventually(condition, within_s=60.0):
    """Wait until `condition`, a function or a coroutine function, is true; what it returned."""
    deadline = time.monotonic() + within_s
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.05)


def session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
