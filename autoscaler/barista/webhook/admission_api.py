"""The admission webhook over HTTP: one path for each kind of question that the API server asks.

An error in an answer of ours is never an object's fault: it is counted, logged and the object let
through as it is.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from barista.platforms.knative.admission import (
    UNCHANGED,
    Orders,
    Verdict,
    judge_resource,
    judge_service,
    mutate_pod,
    mutate_revision,
    service_of,
)
from barista.platforms.knative.annotations import Known
from barista.values.service import ServiceId
from barista.webhook.review import NoReview, Review, answer, read_review

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2)

log = logging.getLogger(__name__)


class Knowledge(Protocol):
    """What the webhook answers from."""

    def orders(self, service: ServiceId) -> Orders | None:
        """What stands for `service`; None when nothing does."""
        ...

    def known(self) -> Known:
        """The names that a service may choose."""
        ...

    def missing(self) -> tuple[str, ...]:
        """What is not known yet."""
        ...


Judge = Callable[[Review, Knowledge], Verdict]


def admission_app(knowledge: Knowledge) -> FastAPI:
    """The webhook's HTTP application, which answers from `knowledge`."""
    app = FastAPI(title="Barista admission", openapi_url=None)
    registry = CollectorRegistry()
    seconds = Histogram(
        "barista_webhook_seconds", "Time to answer a review", ["what"], buckets=SECONDS, registry=registry
    )
    reviews = Counter("barista_webhook_reviews", "Answered reviews", ["what", "outcome"], registry=registry)

    def answers(what: str, judge: Judge) -> None:
        @app.post(f"/admit/{what}")
        async def admit(request: Request) -> JSONResponse:
            with seconds.labels(what).time():
                try:
                    review = read_review(await request.body())
                except NoReview as error:
                    reviews.labels(what, "no-review").inc()
                    return JSONResponse({"error": str(error)}, status_code=400)
                verdict, outcome = _judged(judge, review, knowledge)
                reviews.labels(what, outcome).inc()
                return JSONResponse(answer(review, verdict))

    for what, judge in JUDGES.items():
        answers(what, judge)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        missing = knowledge.missing()
        text = f"not listed yet: {', '.join(missing)}\n" if missing else "ok\n"
        return Response(text, status_code=503 if missing else 200, media_type="text/plain")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _service(review: Review, knowledge: Knowledge) -> Verdict:
    return judge_service(review.object, review.before, knowledge.known())


def _resource(review: Review, knowledge: Knowledge) -> Verdict:
    return judge_resource(review.object, review.before, knowledge.known())


def _revision(review: Review, knowledge: Knowledge) -> Verdict:
    orders = _orders(review, knowledge)
    return UNCHANGED if orders is None else mutate_revision(review.object, orders)


def _pod(review: Review, knowledge: Knowledge) -> Verdict:
    orders = _orders(review, knowledge)
    return UNCHANGED if orders is None else mutate_pod(review.object, orders)


JUDGES: dict[str, Judge] = {
    "services": _service,
    "revisions": _revision,
    "pods": _pod,
    "resources": _resource,
}
"""Who answers what is asked at ``/admit/…``."""


def _orders(review: Review, knowledge: Knowledge) -> Orders | None:
    service = service_of(review.object, review.namespace)
    return None if service is None else knowledge.orders(service)


def _judged(judge: Judge, review: Review, knowledge: Knowledge) -> tuple[Verdict, str]:
    try:
        verdict = judge(review, knowledge)
    except Exception:
        log.exception("review %s in %s", review.uid, review.namespace)
        return UNCHANGED, "error"
    if verdict.faults:
        return verdict, "refused"
    return verdict, "patched" if verdict.patch else "unchanged"
