"""Probes: asking a container whether it has started, lives and is ready, at the pace its spec sets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from tests.cluster.client import Object

Ask = Callable[[Object], Awaitable[bool]]

EAGER_EVERY_S = 0.25
_ANY_CERTIFICATE = ssl.create_default_context()
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class Unsupported(Exception):
    """A kind of probe or hook that the process kubelet does not know."""


async def verdicts(probe: Object, ask: Ask, *, eager: bool = False) -> AsyncIterator[bool]:
    """Passes and failures of `probe` for ever, each after as many answers in a row as its thresholds say.

    An `eager` one asks more often than its period until it first passes: the kubelet asks about readiness
    again whenever the pod's status changes, so that a period of ten seconds delays no start by as much.
    """
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    period_s = probe.get("periodSeconds") or 10
    needed = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
    last, run = True, 0
    while True:
        answer = await ask(probe)
        run = run + 1 if answer == last else 1
        last = answer
        eager = eager and not answer
        if run >= needed[answer]:
            yield answer
        await asyncio.sleep(min(period_s, EAGER_EVERY_S) if eager else period_s)


async def http(action: Object, address: str, ports: Object, timeout_s: float) -> bool:
    """Whether an HTTP GET (of a probe or a hook) is answered with a status below 400 in time."""
    scheme = action.get("scheme", "HTTP").lower()
    host = action.get("host") or address
    url = f"{scheme}://{host}:{port(action['port'], ports)}/{action.get('path', '').lstrip('/')}"
    headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
    headers.setdefault("User-Agent", "kube-probe/stand-in")
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
            asked = session.get(url, headers=headers, ssl=_ANY_CERTIFICATE, allow_redirects=False)
            async with asked as answer:
                return answer.status < 400
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


async def tcp(action: Object, address: str, ports: Object, timeout_s: float) -> bool:
    """Whether the port takes a connection in time."""
    opening = asyncio.open_connection(action.get("host") or address, port(action["port"], ports))
    try:
        _, writer = await asyncio.wait_for(opening, timeout_s)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def port(wanted: int | str, ports: Object) -> int:
    """A port by number, or by the name that the container gave it."""
    return int(ports[wanted]) if wanted in ports else int(wanted)
