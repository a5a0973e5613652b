"""Forwarding: one request to a replica of its service and the answer back, through queue and crashes.

Predictions are idempotent and answers small: both are held whole, so a request whose replica dies,
even in the middle of its answer, is asked again of another, and a crash loses no request.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from barista.platforms.local.dispatch import Backend, Lane, QueueFull

TRIES = 3
REPLICA_HEADER = "X-Barista-Replica"
RETRY_AFTER_S = 1

Ticket = asyncio.Future[Backend]

# Of one connection (RFC 9110, 7.6.1), or set anew by whoever sends the message.
_NOT_PASSED_ON = (
    "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Expect", "Date", "Server",
)  # fmt: skip


def client_session() -> aiohttp.ClientSession:
    """The one session to all replicas: connections kept, as many as needed, bodies left as they are."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


@dataclass(slots=True)
class Forwarder:
    """Forwards the requests of `service`, whose queue and replicas are `lane`.

    `served` is told the seconds that each answer took at its replica.
    """

    service: str
    lane: Lane[Ticket]
    timeout_s: float
    session: aiohttp.ClientSession
    served: Callable[[float], None]

    async def forward(self, request: web.Request) -> web.Response:
        """The answer of a replica to `request`.

        Raises 503 when the queue is full, 504 after `timeout_s`, 502 when `TRIES` replicas failed.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._ask_until_answered(await request.read(), _passed_on(request.headers))
        except TimeoutError:
            raise web.HTTPGatewayTimeout(
                text=f"service {self.service}: no answer within {self.timeout_s:g} s\n"
            ) from None
        except QueueFull as full:
            raise web.HTTPServiceUnavailable(
                text=f"service {self.service}: {full}\n", headers={"Retry-After": str(RETRY_AFTER_S)}
            ) from None

    async def _ask_until_answered(self, body: bytes, headers: CIMultiDict[str]) -> web.Response:
        enter = self.lane.join
        for _ in range(TRIES):
            backend = await self._free_replica(enter)
            try:
                return await self._ask(backend, body, headers)
            except aiohttp.ClientError:
                self.lane.suspect(backend, time.monotonic())
                enter = self.lane.rejoin
            finally:
                self.lane.release(backend)
                self.hand_out()
        raise web.HTTPBadGateway(text=f"service {self.service}: {TRIES} replicas in turn did not answer\n")

    async def _free_replica(self, enter: Callable[[Ticket], None]) -> Backend:
        ticket: Ticket = asyncio.get_running_loop().create_future()
        enter(ticket)
        self.hand_out()
        try:
            return await ticket
        except asyncio.CancelledError:
            if ticket.cancelled():
                self.lane.leave(ticket)
            else:  # a replica was found in the very moment the request was given up
                self.lane.release(ticket.result())
                self.hand_out()
            raise

    def hand_out(self) -> None:
        """Start the requests that can start."""
        while (match := self.lane.match()) is not None:
            ticket, backend = match
            if ticket.cancelled():
                self.lane.release(backend)
            else:
                ticket.set_result(backend)

    async def _ask(self, backend: Backend, body: bytes, headers: CIMultiDict[str]) -> web.Response:
        started_s = time.perf_counter()
        async with self.session.post(backend.endpoint.url, data=body, headers=headers) as answer:
            text = await answer.read()
        self.served(time.perf_counter() - started_s)
        passed = _passed_on(answer.headers)
        passed[REPLICA_HEADER] = backend.endpoint.id
        return web.Response(status=answer.status, body=text, headers=passed)


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    passed = headers.copy()
    for name in _NOT_PASSED_ON:
        passed.popall(name, None)
    return passed
