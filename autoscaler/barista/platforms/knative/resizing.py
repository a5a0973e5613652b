"""Resizing: the flavor that a pod has now, and its change in place within the flavor's family.

A pod bears the flavor that it was admitted with; what its container asks for tells which one of that
family it has become. Only cpu and memory change, and neither its quality-of-service class nor the set
of its limits: Kubernetes refuses those.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from barista.platforms.knative.annotations import FLAVOR
from barista.platforms.knative.client import PODS, STRATEGIC_MERGE_PATCH, ApiServer, Object, Refused
from barista.platforms.knative.dialect import QUEUE_PROXY
from barista.platforms.knative.quantities import amount, cpu_text, memory_text
from barista.platforms.knative.state import condition
from barista.values.decision import Decision, Vertical
from barista.values.flavor import Catalogue, Flavor


def flavor_reader(catalogue: Catalogue, otherwise: str) -> Callable[[Object], str]:
    """Reads the flavor that a pod has; `otherwise` for one that bears none."""

    def read(pod: Object) -> str:
        admitted: str = (pod["metadata"].get("annotations") or {}).get(FLAVOR, otherwise)
        container = user_container(pod)
        asked = ((container or {}).get("resources") or {}).get("requests") or {}
        if "cpu" not in asked:
            return admitted
        cpu = _cpu(asked["cpu"])
        same = (f for f in catalogue.flavors.values() if catalogue.same_family(admitted, f.name))
        fitting = [f.name for f in same if abs(f.cpu - cpu) < 1e-3]
        return admitted if admitted in fitting or not fitting else fitting[0]

    return read


def resize(
    server: ApiServer,
    decision: Decision,
    pods: Sequence[Object],
    read: Callable[[Object], str],
    of: Catalogue,
) -> list[str]:
    """Change pods in place as `decision` says, ready ones first; what was refused, in words."""
    faults = []
    left = {pod["metadata"]["name"]: pod for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    for change in decision.changes:
        if not isinstance(change, Vertical):
            continue
        able = [
            name
            for name in sorted(left, key=lambda n: _standing(left[n]))
            if read(left[name]) == change.before
        ]
        for name in able[: change.count]:
            pod = left.pop(name)
            patch = resized(pod, of.flavor(change.after))
            if patch is None:
                continue
            path = PODS.path(pod["metadata"]["namespace"], name, "resize")
            try:
                server.patch(path, patch, STRATEGIC_MERGE_PATCH)
            except Refused as error:
                faults.append(f"pod {name}: cannot become {change.after} in place: {error}")
    return faults


def resized(pod: Object, flavor: Flavor) -> dict[str, Any] | None:
    """The patch that gives the user container of `pod` the cpu and memory of `flavor`.

    None where it asks for nothing now: that cannot be changed in place.
    """
    container = user_container(pod)
    if container is None:
        return None
    resources = container.get("resources") or {}
    wanted = {"cpu": cpu_text(flavor.cpu), "memory": memory_text(flavor.memory_gib)}
    new: dict[str, Mapping[str, str]] = {}
    for part in ("requests", "limits"):
        named = {name: text for name, text in wanted.items() if name in (resources.get(part) or {})}
        if named:
            new[part] = named
    return {"spec": {"containers": [{"name": container["name"], "resources": new}]}} if new else None


def user_container(pod: Object) -> Mapping[str, Any] | None:
    """The container of `pod` that serves the model."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return next((c for c in containers if c["name"] != QUEUE_PROXY), None)


def _standing(pod: Object) -> tuple[bool, str]:
    ready = condition(pod, "Ready")
    return (ready is None or ready.get("status") != "True", pod["metadata"]["name"])


def _cpu(quantity: str | int) -> float:
    try:
        return amount(str(quantity))
    except ValueError:
        return float("nan")
