"""A forecaster that runs elsewhere, asked over HTTP: the port on this side, `barista.forecast.wire` between.

Fitting and moving on happen here and only keep what was seen; each forecast is one question. Whatever is
wrong with an answer is raised as `WebhookFailed`, in one line, and the host takes the next rung.
"""

import asyncio
import math
import ssl
import time
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from pydantic import ValidationError

from barista.forecast.history import joined
from barista.forecast.wire import ForecastQuestion, ForecastReply, WireCalendar, WireDemand
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.webhook import Webhook

REST_S = 60.0
"""How long one that could not be reached is not asked again: others wait for the same worker."""
MOST_BYTES = 4 * 2**20
"""A longer reply is no forecast."""


class WebhookFailed(Exception):
    """A forecaster elsewhere gave no usable answer; the message says who, where and what was wrong."""


class _Unreachable(WebhookFailed):
    """Not even an answer: asking again at once would only cost time."""


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What the next question says: the demand seen, and what was asked for at the fit."""

    demand: Demand
    context: ForecastContext


@dataclass(slots=True)
class RemoteForecaster:
    """The forecaster behind `webhook`."""

    webhook: Webhook
    _rests_until: float = field(default=-math.inf, init=False, repr=False)

    @property
    def name(self) -> str:
        """The name that the operator gave it."""
        return self.webhook.name

    def fit(self, demand: Demand, context: ForecastContext, warm: RemoteState | None = None) -> RemoteState:  # noqa: ARG002
        """Keep the end of `demand`; nobody is asked. ValueError when it holds no value."""
        if not np.isfinite(demand.values).any():
            raise ValueError(f"{self.name}: demand of {len(demand)} steps holds no value: need one")
        return RemoteState(demand.last(self.webhook.history_steps), context)

    def update(self, state: RemoteState, new_values: Demand) -> RemoteState:
        """The state with `new_values` at its end."""
        return RemoteState(joined(state.demand, new_values).last(self.webhook.history_steps), state.context)

    def forecast(self, state: RemoteState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """What the webhook says. WebhookFailed when it says nothing of use."""
        demand = state.demand
        reply = self._reply(_question(state, steps, levels))
        made = Forecast(
            origin_s=demand.end_s,
            step_s=demand.step_s,
            mean=tuple(reply.mean),
            levels=levels,
            quantiles=tuple(tuple(row) for row in reply.quantiles),
            made_by=self.name,
        )
        fault = made.fault()
        if fault is None and made.steps != steps:
            fault = f"{made.steps} steps instead of {steps}"
        if fault is not None:
            raise self._failure(f"its forecast: {fault}")
        return made

    def _reply(self, question: ForecastQuestion) -> ForecastReply:
        rest_s = self._rests_until - time.monotonic()
        if rest_s > 0:
            raise self._failure(f"could not be reached; not asked for another {math.ceil(rest_s)} s")
        try:
            body = asyncio.run(self._asked(question.model_dump_json().encode()))
        except _Unreachable:
            self._rests_until = time.monotonic() + REST_S
            raise
        try:
            return ForecastReply.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._failure(f"its reply: {where}: {first['msg']}".replace(": : ", ": ")) from error

    async def _asked(self, question: bytes) -> bytes:
        hook = self.webhook
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=hook.timeout_s)) as session,
                session.post(
                    hook.url,
                    data=question,
                    headers={"Content-Type": "application/json"},
                    ssl=ssl.create_default_context(cafile=hook.ca_file) if hook.ca_file else True,
                    allow_redirects=False,
                ) as response,
            ):
                body = await _read(response)
        except TimeoutError as error:
            raise _Unreachable(self._text(f"no answer within {hook.timeout_s:g} s")) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Unreachable(self._text(f"{type(error).__name__}: {error}")) from error
        if response.status != 200:
            raise self._failure(f"status {response.status}: {_excerpt(body)}")
        if len(body) > MOST_BYTES:
            raise self._failure(f"its reply is longer than {MOST_BYTES} bytes")
        return body

    def _failure(self, fault: str) -> WebhookFailed:
        return WebhookFailed(self._text(fault))

    def _text(self, fault: str) -> str:
        return f"forecaster {self.name!r}: POST {self.webhook.url}: {fault}"


def _question(state: RemoteState, steps: int, levels: tuple[float, ...]) -> ForecastQuestion:
    demand, context = state.demand, state.context
    values = [None if math.isnan(value) else value for value in demand.values.tolist()]
    return ForecastQuestion(
        demand=WireDemand(start_s=demand.start_s, step_s=demand.step_s, values=values),
        calendar=WireCalendar.of(context.calendar),
        steps=steps,
        levels=list(levels),
        seed=context.seed,
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, up to the first chunk beyond what is ever read."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body)


def _excerpt(body: bytes, most: int = 100) -> str:
    line = " ".join(body.decode(errors="replace").split())
    return line if len(line) <= most else f"{line[:most]}…"
