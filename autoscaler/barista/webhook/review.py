"""AdmissionReview: how the API server asks about an object, and how it is answered."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barista.platforms.knative.admission import Verdict

API_VERSION = "admission.k8s.io/v1"
FORBIDDEN = 403


class NoReview(Exception):
    """What was sent is no AdmissionReview."""


@dataclass(frozen=True, slots=True)
class Review:
    """One question: `object` as it would be stored, `before` as it stands (None when it is new)."""

    uid: str
    namespace: str
    object: Mapping[str, Any]
    before: Mapping[str, Any] | None


def read_review(body: bytes) -> Review:
    """The question in `body`. NoReview says what is wrong with it."""
    try:
        document = json.loads(body)
        request = document["request"]
        return Review(
            uid=str(request["uid"]),
            namespace=str(request.get("namespace") or ""),
            object=dict(request["object"]),
            before=request.get("oldObject"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NoReview(f"need an AdmissionReview with request.uid and request.object: {error!r}") from error


def answer(review: Review, verdict: Verdict) -> dict[str, Any]:
    """The AdmissionReview that tells `verdict`."""
    response: dict[str, Any] = {"uid": review.uid, "allowed": not verdict.faults}
    if verdict.faults:
        response["status"] = {"code": FORBIDDEN, "message": "; ".join(verdict.faults)}
    elif verdict.patch:
        patch = base64.b64encode(json.dumps(verdict.patch).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    return {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
