"""The admission webhook over HTTP: every question is answered, and an error of ours is nobody's fault."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from barista.platforms.knative.admission import Orders
from barista.platforms.knative.annotations import Known
from barista.values.service import Authority, ServiceId
from barista.webhook.admission_api import admission_app
from barista.webhook.names import ConfiguredNames

ALL_KNOWN = Known(frozenset({"cpu-1"}), frozenset({"ensemble"}), frozenset({"auto"}))
LABELS = {"serving.knative.dev/service": "resnet"}


class Told:
    """Knowledge of one service; asked about `broken`, it fails."""

    def __init__(self, missing: tuple[str, ...] = ()) -> None:
        self._missing = missing

    def orders(self, service: ServiceId) -> Orders | None:
        if service == "default/broken":
            raise RuntimeError("no idea")
        return Orders(Authority.PIN, 3) if service == "default/resnet" else None

    def known(self) -> Known:
        return ALL_KNOWN

    def missing(self) -> tuple[str, ...]:
        return self._missing


def review(obj: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    request = {"uid": "u-1", "namespace": "default", "object": obj, "oldObject": before}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def service(annotations: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": "a", "annotations": annotations}}


def talk(app: FastAPI, path: str, body: bytes | None = None) -> httpx.Response:
    """The answer of `app`: to a GET, or to a POST of `body`."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://webhook"
        ) as client:
            return await (client.get(path) if body is None else client.post(path, content=body))

    return asyncio.run(ask())


def asked(what: str, obj: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = talk(admission_app(Told()), f"/admit/{what}", json.dumps(review(obj, before)).encode())
    assert answer.status_code == 200
    response: dict[str, Any] = answer.json()["response"]
    assert response["uid"] == "u-1"
    return response


def test_a_new_revision_is_patched() -> None:
    response = asked("revisions", {"metadata": {"labels": LABELS, "annotations": {"a": "b"}}})
    assert response["allowed"]
    patch = json.loads(base64.b64decode(response["patch"]))
    assert patch[0] == {
        "op": "add",
        "path": "/metadata/annotations/autoscaling.knative.dev~1min-scale",
        "value": "3",
    }


def test_a_wrong_annotation_is_refused_in_words() -> None:
    annotations = {"knative-barista.dev/latency-slo": "25x"}
    response = asked(
        "services", {"metadata": {"namespace": "default", "name": "a", "annotations": annotations}}
    )
    assert not response["allowed"]
    assert "need a duration like 250ms or 1.5s" in response["status"]["message"]


def test_a_warning_reaches_the_user() -> None:
    annotations = {"knative-barista.dev/authority": "pin"}
    response = asked(
        "services", {"metadata": {"namespace": "default", "name": "a", "annotations": annotations}}
    )
    assert response["allowed"]
    assert "latency-slo" in response["warnings"][0]


@pytest.mark.parametrize("what", ["revisions", "pods"])
@pytest.mark.parametrize("labels", [{}, {"serving.knative.dev/service": "stranger"}, None])
def test_what_is_not_ours_is_let_through(what: str, labels: dict[str, str] | None) -> None:
    response = asked(what, {"metadata": {"labels": labels}, "spec": {}})
    assert response == {"uid": "u-1", "allowed": True}


def test_an_error_of_ours_lets_the_object_through_and_is_counted() -> None:
    app = admission_app(Told())
    pod = {"metadata": {"labels": {"serving.knative.dev/service": "broken"}}, "spec": {}}
    assert talk(app, "/admit/pods", json.dumps(review(pod)).encode()).json()["response"]["allowed"]
    assert 'barista_webhook_reviews_total{outcome="error",what="pods"} 1.0' in talk(app, "/metrics").text


@pytest.mark.parametrize("body", [b"", b"{}", b'{"request": {"uid": "u"}}', b"[1]", b'{"request": null}'])
def test_what_is_no_review_is_told_so(body: bytes) -> None:
    answer = talk(admission_app(Told()), "/admit/pods", body)
    assert answer.status_code == 400
    assert "need an AdmissionReview" in answer.json()["error"]


def test_it_is_ready_once_it_knows_what_it_answers_from() -> None:
    assert talk(admission_app(Told()), "/readyz").status_code == 200
    answer = talk(admission_app(Told(missing=("flavors",))), "/readyz")
    assert (answer.status_code, answer.text) == (503, "not listed yet: flavors\n")
    assert talk(admission_app(Told(missing=("flavors",))), "/healthz").status_code == 200


def test_names_follow_the_configuration_and_a_bad_change_leaves_the_last_good_one(tmp_path: Path) -> None:
    flavor = {"pool": "p", "cpu": 1, "memory_gib": 1, "cost_per_hour": 0.1}
    document: dict[str, Any] = {"pools": {"p": {"cpu": 2, "memory_gib": 4}}, "flavors": {"one": flavor}}
    file = tmp_path / "barista.yaml"
    names = ConfiguredNames(file)
    assert names.flavors() == {}
    file.write_text(yaml.safe_dump(document))
    assert set(names.flavors()) == {"one"}
    mine = {"mine": {"webhook": {"url": "https://forecaster.example/"}}}
    file.write_text(yaml.safe_dump({**document, "forecasters": mine}))
    assert "mine" in names.forecasters()
    file.write_text("flavors: {one: nonsense}")
    assert set(names.flavors()) == {"one"}
    assert {"mine", "ensemble"} <= names.forecasters()
    assert "auto" in names.planners()
