"""Objects as Knative 1.21 has them, cut down to what is read, and an API server that only remembers."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from barista.platforms.knative.annotations import AUTHORITY, FLAVOR, LATENCY_SLO
from barista.platforms.knative.client import MERGE_PATCH, Object, Refused
from barista.platforms.knative.resources import ExecutionProfileResource
from barista.platforms.knative.snapshot import Snapshot, read_snapshot
from barista.values.decision import Change, Decision, Reason
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.service import Authority, ServiceId

ID = ServiceId("default/resnet")
NOW = 1_790_000_000.0
CATALOGUE = Catalogue(
    {"cpu": Pool("cpu", 32, 64)},
    {
        "cpu-1": Flavor("cpu-1", "cpu", 1, 2, 0.05, family="small"),
        "cpu-half": Flavor("cpu-half", "cpu", 0.5, 2, 0.03, family="small"),
        "cpu-4": Flavor("cpu-4", "cpu", 4, 8, 0.2),
    },
)
SERVICE_LABELS = {"serving.knative.dev/service": "resnet"}


def service(
    traffic: Mapping[str, int] | None = None,
    template: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    concurrency: int = 1,
    latest: str = "resnet-00001",
) -> dict[str, Any]:
    """A Knative Service that opted in under `floor`, its traffic on its first Revision."""
    shares = {"resnet-00001": 100} if traffic is None else traffic
    asked = {LATENCY_SLO: "250ms", AUTHORITY: "floor"} if annotations is None else annotations
    return {
        "metadata": {
            "namespace": "default",
            "name": "resnet",
            "uid": "1-2-3",
            "resourceVersion": "10",
            "annotations": dict(asked),
        },
        "spec": {
            "template": {
                "metadata": {"annotations": dict(template or {})},
                "spec": {"containerConcurrency": concurrency},
            }
        },
        "status": {
            "latestCreatedRevisionName": latest,
            "traffic": [{"revisionName": name, "percent": share} for name, share in shares.items()],
        },
    }


def revision(name: str = "resnet-00001", version: int = 20, **annotations: str) -> dict[str, Any]:
    """A Revision of the service; annotations are Knative's, by their short names."""
    marks = {f"autoscaling.knative.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {
        "metadata": {
            "namespace": "default",
            "name": name,
            "resourceVersion": str(version),
            "labels": SERVICE_LABELS,
            "annotations": marks,
        }
    }


def pod(
    name: str,
    *,
    of: str = "resnet-00001",
    ready: bool = True,
    flavor: str | None = "cpu-1",
    cpu: str = "1",
    leaving: bool = False,
    phase: str = "Running",
) -> dict[str, Any]:
    """A pod of the Revision `of`, with a queue-proxy beside its user container."""
    metadata: dict[str, Any] = {
        "namespace": "default",
        "name": name,
        "resourceVersion": "30",
        "creationTimestamp": "2026-09-21T14:13:20Z",
        "labels": {**SERVICE_LABELS, "serving.knative.dev/revision": of},
        "annotations": {FLAVOR: flavor} if flavor else {},
    }
    if leaving:
        metadata["deletionTimestamp"] = "2026-09-21T14:20:00Z"
    asked = {"cpu": cpu, "memory": "2Gi"}
    since = "2026-09-21T14:13:30Z"
    return {
        "metadata": metadata,
        "spec": {
            "containers": [
                {"name": "model", "resources": {"requests": asked, "limits": asked}},
                {"name": "queue-proxy", "resources": {"requests": {"cpu": "25m"}}},
            ]
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}],
        },
    }


def deployment(replicas: int, of: str = "resnet-00001") -> dict[str, Any]:
    """The Deployment of the Revision `of`."""
    labels = {**SERVICE_LABELS, "serving.knative.dev/revision": of}
    return {
        "metadata": {"namespace": "default", "name": f"{of}-deployment", "labels": labels},
        "spec": {"replicas": replicas},
    }


def plan_object(status: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The service's ScalingPlan."""
    metadata = {"namespace": "default", "name": "resnet", "resourceVersion": "40", "generation": 1}
    return {"metadata": metadata, "spec": spec, "status": dict(status or {})}


def config(version: str = "1.21.0", **data: str) -> dict[str, Any]:
    """The ConfigMap ``config-autoscaler``."""
    return {
        "metadata": {
            "namespace": "knative-serving",
            "name": "config-autoscaler",
            "labels": {"app.kubernetes.io/version": version},
        },
        "data": {key.replace("_", "-"): text for key, text in data.items()},
    }


def profile(model: str = "resnet", flavor: str = "cpu-1", workers: int = 2) -> dict[str, Any]:
    """A measured profile of `model`, in the service's namespace."""
    times = Distribution.constant(0.1)
    measured = ExecutionProfile(model, flavor, times, times, workers=workers)
    return ExecutionProfileResource.of(measured, "default").document()


def snapshot(*services: Object, **kinds: Any) -> Snapshot:
    """The snapshot of these objects; by default of one service with one Revision."""
    kinds.setdefault("revisions", [revision()])
    kinds.setdefault("config", [config()])
    return read_snapshot(services=services or (service(),), **kinds)


def decision(
    final: Mapping[str, int],
    authority: Authority = Authority.FLOOR,
    current: Mapping[str, int] | None = None,
    changes: tuple[Change, ...] = (),
    reasons: tuple[Reason, ...] = (),
    *,
    planned: bool = True,
) -> Decision:
    """A decision about the service."""
    held = {} if current is None else current
    return Decision(ID, NOW, authority, held, final, final, final, changes, NOW, reasons, planned)


class Server:
    """An API server that remembers what it holds and what it was asked, and merges patches."""

    def __init__(self, **objects: Object) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.version = 100
        for path, obj in objects.items():
            self.objects[path] = dict(deepcopy(obj))

    def hold(self, path: str, obj: Object) -> None:
        """Hold `obj` at `path`."""
        self.objects[path] = dict(deepcopy(obj))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object at `path`."""
        return deepcopy(self._at(path))

    def create(self, path: str, body: Object) -> dict[str, Any]:
        """Keep `body`; a second one of its name is refused."""
        self.asked.append(("create", path, body))
        target = f"{path}/{body['metadata'].get('name', '')}"
        if target in self.objects:
            raise Refused(409, "AlreadyExists", f"{target} exists")
        return self._put(target, body)

    def replace(self, path: str, body: Object) -> dict[str, Any]:
        """Replace the object at `path`; an old version is refused."""
        self.asked.append(("replace", path, body))
        if self._at(path)["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            raise Refused(409, "Conflict", "the object has been modified")
        return self._put(path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE_PATCH) -> dict[str, Any]:
        """Merge `body` into the object at `path`; a part's path (…/status) is its object's."""
        self.asked.append(("patch", path, body))
        target = path.removesuffix("/status").removesuffix("/scale").removesuffix("/resize")
        return self._put(target, _merged(self._at(target), body) if kind == MERGE_PATCH else self._at(target))

    def writes(self, word: str) -> list[tuple[str, Any]]:
        """Path and body of what was written where the path has `word` in it."""
        return [(path, body) for _, path, body in self.asked if word in path]

    def _at(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise Refused(404, "NotFound", f"{path} not found")
        return self.objects[path]

    def _put(self, path: str, obj: Object) -> dict[str, Any]:
        self.version += 1
        kept = dict(deepcopy(obj))
        kept["metadata"] = {**kept["metadata"], "resourceVersion": str(self.version)}
        self.objects[path] = kept
        return deepcopy(kept)


def _merged(obj: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(obj) if isinstance(obj, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
