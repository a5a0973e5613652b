"""The state of a cluster as Barista reads it: the objects' JSON turned into facts about services. Pure.

What a service's own bounds are is read from its template, never from its Revisions, where Barista
itself writes. What a Revision's annotations are now is a different fact, and both are kept apart.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from barista.platforms.knative.bounds import Bounds, read_activation_scale, read_bounds
from barista.platforms.knative.client import MANAGER, Object
from barista.platforms.knative.dialect import (
    BURST_CAPACITY,
    REVISION_LABEL,
    SERVICE_LABEL,
    Version,
)
from barista.platforms.knative.watching import version_of
from barista.values.replica import Phase, Replica
from barista.values.service import DispatchRule, ServiceId, service_id

UNLIMITED_TARGET = 100.0
"""Requests that the KPA plans for on a pod that names no limit."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What the cluster's config-autoscaler says: the version, and what holds where a service says nothing.

    Counts of 0 mean without limit, as in Knative.
    """

    version: Version | None = None
    max_scale: int = 0
    max_scale_limit: int = 0
    burst_capacity: float = 211.0


@dataclass(frozen=True, slots=True)
class RevisionState:
    """A Revision that a service's requests reach, with the share that it gets, and its bounds now.

    `ours` names the annotations of it that, by the API server's record, were last written by us.
    """

    name: str
    share: float
    bounds: Bounds
    version: int
    is_latest: bool
    activation_scale: int | None = None
    ours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One Knative Service: what its template says, and the Revisions that its traffic reaches."""

    id: ServiceId
    uid: str
    annotations: Mapping[str, str]
    own_bounds: Bounds
    container_concurrency: int
    burst_capacity: float | None
    revisions: tuple[RevisionState, ...]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.id.split("/")[0]

    @property
    def name(self) -> str:
        """Its name in the namespace."""
        return self.id.split("/")[1]


def service_of(obj: Object) -> ServiceId:
    """Identity of the Knative Service, or of the ScalingPlan of the same name, that `obj` is."""
    return service_id(obj["metadata"]["namespace"], obj["metadata"]["name"])


def owner_of(obj: Object) -> ServiceId | None:
    """The Knative Service that the Revision, Deployment or pod `obj` belongs to."""
    name = (obj["metadata"].get("labels") or {}).get(SERVICE_LABEL)
    return service_id(obj["metadata"]["namespace"], name) if name else None


def read_service(obj: Object, revisions: Iterable[Object]) -> ServiceState:
    """The Knative Service `obj` with those of `revisions`, which are all its own, that traffic reaches.

    ValueError when its template's bounds are no counts.
    """
    template = obj["spec"].get("template") or {}
    marks = (template.get("metadata") or {}).get("annotations") or {}
    shares = _shares(obj.get("status") or {})
    latest = (obj.get("status") or {}).get("latestCreatedRevisionName")
    burst = next((marks[key] for key in BURST_CAPACITY if key in marks), None)
    reached = (r for r in revisions if shares.get(r["metadata"]["name"], 0.0) > 0)
    return ServiceState(
        id=service_of(obj),
        uid=obj["metadata"].get("uid", ""),
        annotations=obj["metadata"].get("annotations") or {},
        own_bounds=read_bounds(marks),
        container_concurrency=int((template.get("spec") or {}).get("containerConcurrency") or 0),
        burst_capacity=None if burst is None else float(burst),
        revisions=tuple(
            _revision(r, shares[r["metadata"]["name"]], latest)
            for r in sorted(reached, key=lambda r: str(r["metadata"]["name"]))
        ),
    )


def read_replicas(
    service: ServiceState, pods: Iterable[Object], flavor: Callable[[Object], str], lease_s: float = 0.0
) -> tuple[Replica, ...]:
    """The pods of `service` as replicas; `flavor` tells that of a pod.

    Pods that are on their way out, or of Revisions that no traffic reaches, are draining.
    """
    reached = {revision.name for revision in service.revisions}
    found = (_replica(pod, service.id, reached, flavor, lease_s) for pod in pods)
    return tuple(replica for replica in found if replica is not None)


def dispatch_rule(service: ServiceState, config: ClusterConfig, most: int) -> DispatchRule:
    """How Knative hands requests to at most `most` pods of `service`.

    The activator chooses while it is in the path: as long as the pods' spare capacity is below the
    target burst capacity (always for -1). Off its path nothing chooses.
    """
    concurrency = service.container_concurrency
    burst = config.burst_capacity if service.burst_capacity is None else service.burst_capacity
    if burst >= 0 and most * (concurrency or UNLIMITED_TARGET) >= burst:
        return DispatchRule.RANDOM
    if concurrency == 0:
        return DispatchRule.TWO_CHOICES
    return DispatchRule.FIRST_FREE if concurrency <= 3 else DispatchRule.ROUND_ROBIN


def read_config(obj: Object) -> ClusterConfig:
    """What the ConfigMap ``config-autoscaler`` says."""
    data: Mapping[str, str] = obj.get("data") or {}
    labels = obj["metadata"].get("labels") or {}
    standard = ClusterConfig()
    return ClusterConfig(
        version=Version.parse(labels.get("app.kubernetes.io/version")),
        max_scale=int(data.get("max-scale", standard.max_scale)),
        max_scale_limit=int(data.get("max-scale-limit", standard.max_scale_limit)),
        burst_capacity=float(data.get("target-burst-capacity", standard.burst_capacity)),
    )


def by_service(objects: Iterable[Object]) -> Mapping[ServiceId, list[Object]]:
    """`objects` by the Knative Service that they belong to."""
    found: defaultdict[ServiceId, list[Object]] = defaultdict(list)
    for obj in objects:
        owner = owner_of(obj)
        if owner is not None:
            found[owner].append(obj)
    return found


def condition(obj: Object, kind: str) -> Mapping[str, Any] | None:
    """The condition `kind` in the status of `obj`, if there is one."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), None)


def seconds_of(time: str) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it."""
    return datetime.fromisoformat(time).timestamp()


def _shares(status: Mapping[str, Any]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for target in status.get("traffic") or ():
        name = target.get("revisionName")
        if name:
            shares[name] = shares.get(name, 0.0) + (target.get("percent") or 0) / 100
    return shares


def _revision(obj: Object, share: float, latest: str | None) -> RevisionState:
    metadata = obj["metadata"]
    marks = metadata.get("annotations") or {}
    return RevisionState(
        name=metadata["name"],
        share=share,
        bounds=read_bounds(marks),
        version=version_of(obj),
        is_latest=metadata["name"] == latest,
        activation_scale=read_activation_scale(marks),
        ours=_written_by(MANAGER, metadata),
    )


def _written_by(manager: str, metadata: Mapping[str, Any]) -> frozenset[str]:
    """The annotations that `manager` was the last to change."""
    entries = (e for e in metadata.get("managedFields") or () if e.get("manager") == manager)
    fields = (e.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {}) for e in entries)
    return frozenset(name.removeprefix("f:") for names in fields for name in names)


def _replica(
    pod: Object, service: ServiceId, reached: set[str], flavor: Callable[[Object], str], lease_s: float
) -> Replica | None:
    metadata, status = pod["metadata"], pod.get("status") or {}
    if status.get("phase") in ("Failed", "Succeeded"):
        return None
    ready = condition(pod, "Ready")
    is_ready = ready is not None and ready.get("status") == "True"
    leaving = "deletionTimestamp" in metadata or metadata["labels"].get(REVISION_LABEL) not in reached
    ordered_at_s = seconds_of(metadata["creationTimestamp"])
    since = ready.get("lastTransitionTime") if ready is not None and is_ready else None
    return Replica(
        id=metadata["name"],
        service=service,
        flavor=flavor(pod),
        phase=Phase.DRAINING if leaving else Phase.READY if is_ready else Phase.STARTING,
        ordered_at_s=ordered_at_s,
        ready_at_s=seconds_of(since) if since else None,
        lease_until_s=ordered_at_s + lease_s,
    )
