"""The controller's HTTP API: whether it is well, what it watches and plans and why, and decisions for others.

``POST /v1/decide`` takes a situation and answers with decisions and their reasons: the same `decide` that
runs here, for any other tool to call. Everything else is read from what the last turn left in memory.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.concurrency import run_in_threadpool

from barista.control.cycle import Pass
from barista.control.explain import NothingToExplain, explain
from barista.control.question import NotAQuestion, answer, read_question, write_outcome
from barista.control.rules import Rules
from barista.values.decision import Decision
from barista.values.service import service_id
from barista.values.situation import Situation

JSON = "application/json"


class Insight(Protocol):
    """What the API shows of a controller."""

    registry: CollectorRegistry

    def unwell(self) -> str:
        """Why the controller should be started again; empty while its turns go on."""
        ...

    def unready(self) -> str:
        """Why it could not act now; empty when it could."""
        ...

    def services(self) -> list[dict[str, Any]]:
        """The services that asked for Barista, and what becomes of them."""
        ...

    def latest(self) -> Pass | None:
        """The latest cycle."""
        ...

    def rules_for(self, situation: Situation | None) -> Rules:
        """The rules of the latest cycle; for a `situation` given, those that its services call for."""
        ...


def controller_app(insight: Insight) -> FastAPI:
    """The application that shows `insight`."""
    app = FastAPI(title="Barista controller", docs_url=None, redoc_url=None)

    @app.get("/healthz")
    def healthz() -> Response:
        return _verdict(insight.unwell())

    @app.get("/readyz")
    def readyz() -> Response:
        return _verdict(insight.unwell() or insight.unready())

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(insight.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/services")
    def services() -> list[dict[str, Any]]:
        return insight.services()

    @app.get("/v1/plans")
    def plans() -> Response:
        done = insight.latest()
        return _json({} if done is None else _plans(done))

    @app.get("/v1/explanations/{namespace}/{name}")
    def explanation(namespace: str, name: str) -> Response:
        done = insight.latest()
        if done is None:
            raise HTTPException(503, "no cycle yet: this controller does not lead, or has just begun")
        try:
            found = explain(done, service_id(namespace, name), insight.rules_for(None))
        except NothingToExplain as error:
            raise HTTPException(404, str(error)) from error
        return _json(asdict(found))

    @app.post("/v1/decide")
    async def decide(request: Request) -> Response:
        try:
            question = read_question(await request.body())
        except NotAQuestion as error:
            raise HTTPException(422, f"situation: {error}") from error
        outcome = await run_in_threadpool(lambda: answer(question, insight.rules_for(question.situation)))
        return Response(write_outcome(outcome), media_type=JSON)

    return app


def _plans(done: Pass) -> dict[str, Any]:
    return {
        "at": done.situation.at_s,
        "planner": done.plan.planner,
        "status": done.plan.status,
        "cost": done.plan.cost,
        "bound": done.plan.bound,
        "services": {decision.service: _decided(decision, done) for decision in done.outcome.decisions},
    }


def _decided(decision: Decision, done: Pass) -> dict[str, Any]:
    forecast = done.forecasts.get(decision.service)
    return {
        "authority": decision.authority,
        "current": decision.current,
        "raw": decision.raw,
        "bounded": decision.bounded,
        "final": decision.final,
        "readyAt": decision.ready_at_s,
        "reasons": [asdict(reason) for reason in decision.reasons],
        "forecast": None if forecast is None else asdict(forecast),
        "plan": {name: asdict(part) for name, part in done.plan.services.get(decision.service, {}).items()},
    }


def _verdict(fault: str) -> Response:
    return Response(fault or "ok", status_code=503 if fault else 200, media_type="text/plain")


def _json(value: Mapping[str, Any]) -> Response:
    return Response(json.dumps(value, default=str), media_type=JSON)
