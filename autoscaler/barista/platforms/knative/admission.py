"""Admission: what the API server is told about an object before it stores it. Pure: JSON in, JSON out.

Knative Services are judged and never rewritten, so that GitOps tools see no drift. Revisions are born
with the planned bounds and pods with the planned flavor. Whatever cannot be understood here is let
through unchanged: a pod must start without Barista.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barista.platforms.knative.annotations import (
    FLAVOR,
    GROUP,
    LATENCY_SLO,
    AnnotationError,
    Known,
    check_names,
    opted_in,
    read_choices,
)
from barista.platforms.knative.bounds import planned_bounds, read_activation_scale, read_bounds
from barista.platforms.knative.crds import KINDS
from barista.platforms.knative.dialect import SERVICE_LABEL
from barista.platforms.knative.pods import flavored_pod
from barista.platforms.knative.resources import ExecutionProfileResource, FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.platforms.knative.schema import ResourceError
from barista.values.service import Authority, ServiceId, service_id

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Of a Deployment's pods, those of the least cost (0 where it is not given) are deleted first."""

Json = Mapping[str, Any]
Patch = tuple[dict[str, Any], ...]
"""JSON patch (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What stands for a service that opted in: how far Barista may go, and what it planned.

    `turn` counts the changes of its flavor family.
    """

    authority: Authority
    replicas: int | None = None
    flavor: FlavorResource | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an object: refused for its `faults`, else stored with `patch`; `warnings` are shown."""

    faults: tuple[str, ...] = ()
    patch: Patch = ()
    warnings: tuple[str, ...] = ()


UNCHANGED = Verdict()


def service_of(obj: Json, namespace: str) -> ServiceId | None:
    """The service that a Revision or pod in `namespace` belongs to; None when to none."""
    name = (_metadata(obj).get("labels") or {}).get(SERVICE_LABEL)
    return service_id(namespace, name) if name else None


def judge_service(service: Json, before: Json | None, known: Known) -> Verdict:
    """Whether the annotations of a Knative Service can be followed.

    What stood there before is not refused: a flavor that has gone must not stop a new image.
    """
    annotations = _ours(service)
    if not annotations or (before is not None and annotations == _ours(before)):
        return UNCHANGED
    metadata = _metadata(service)
    name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    try:
        check_names(read_choices(annotations, name), known, name)
    except AnnotationError as error:
        return Verdict(faults=error.faults)
    if opted_in(annotations):
        return UNCHANGED
    return Verdict(
        warnings=(f"{name}: without the annotation {LATENCY_SLO}, Barista leaves this service alone",)
    )


def judge_resource(obj: Json, before: Json | None, known: Known) -> Verdict:
    """Whether an object of one of our kinds makes sense; what its schema does not tell is told here."""
    if before is not None and obj.get("spec") == before.get("spec"):
        return UNCHANGED
    kinds = {kind.resource.kind_name: kind.resource for kind in KINDS}
    resource = kinds.get(str(obj.get("kind")))
    if resource is None:
        return UNCHANGED
    try:
        read = resource.read(obj)
        if isinstance(read, ExecutionProfileResource):
            read.profile()
        elif isinstance(read, ScalingPlanResource):
            check_names(read.spec.choices(), known, f"ScalingPlan {read.id}")
    except ResourceError as error:
        return Verdict(faults=(str(error),))
    except AnnotationError as error:
        return Verdict(faults=error.faults)
    return UNCHANGED


def orders_for(
    annotations: Mapping[str, str], plan: ScalingPlanResource, flavor: FlavorResource | None
) -> Orders:
    """What stands for the service with `annotations` and `plan`, whose planned flavor is `flavor`.

    The service's own word on its authority counts at once; but what was planned while Barista could
    only advise stays advice, until the controller has planned anew.
    """
    try:
        said = read_choices(annotations, plan.id).over(plan.spec.choices()).authority
    except AnnotationError:
        said = Authority.ADVISE
    last = plan.status.authority or Authority.ADVISE
    authority = last if last is Authority.ADVISE else said or last
    return Orders(authority, plan.status.replicas, flavor, plan.status.flavor_turn or 0)


def mutate_revision(revision: Json, orders: Orders) -> Verdict:
    """A new Revision with the planned bounds over those of its template."""
    annotations = _metadata(revision).get("annotations") or {}
    if orders.authority is Authority.ADVISE or orders.replicas is None:
        return UNCHANGED
    try:
        own, wakes_with = read_bounds(annotations), read_activation_scale(annotations)
    except ValueError:
        return UNCHANGED
    bounds = planned_bounds(own, orders.authority, orders.replicas, wakes_with)
    planned = {key: text for key, text in bounds.annotations().items() if text is not None}
    return Verdict(patch=_annotate(annotations, planned))


def mutate_pod(pod: Json, orders: Orders) -> Verdict:
    """A new pod with the resources, nodes and tolerations of the planned flavor, and its name.

    Of two turns, the earlier one's pods are made the cheaper to delete.
    """
    flavor = orders.flavor
    if orders.authority is Authority.ADVISE or flavor is None:
        return UNCHANGED
    try:
        changed = flavored_pod(pod, flavor.spec)
    except ValueError:
        return UNCHANGED
    if changed is None:
        return UNCHANGED
    spec = pod["spec"]
    ops = [
        {"op": "replace" if part in spec else "add", "path": f"/spec/{part}", "value": value}
        for part, value in changed.items()
    ]
    annotations = _metadata(pod).get("annotations") or {}
    marks = {FLAVOR: flavor.metadata.name}
    if orders.turn and DELETION_COST not in annotations:
        marks[DELETION_COST] = str(orders.turn)
    return Verdict(patch=(*ops, *_annotate(annotations, marks)))


def _annotate(there: Mapping[str, str], wanted: Mapping[str, str]) -> Patch:
    new = {key: text for key, text in wanted.items() if there.get(key) != text}
    if not new:
        return ()
    if not there:
        return ({"op": "add", "path": "/metadata/annotations", "value": new},)
    return tuple(
        {"op": "add", "path": f"/metadata/annotations/{_escaped(key)}", "value": text}
        for key, text in new.items()
    )


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _ours(obj: Json) -> dict[str, str]:
    annotations = _metadata(obj).get("annotations") or {}
    return {key: text for key, text in annotations.items() if key.startswith(f"{GROUP}/")}


def _metadata(obj: Json) -> Json:
    metadata: Json = obj.get("metadata") or {}
    return metadata
