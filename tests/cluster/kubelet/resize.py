"""In-place resize: what the spec asks for now, against what the running containers have."""

from collections.abc import Sequence

from tests.cluster.client import Object
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.node import Node
from tests.cluster.kubelet.quantities import requests


class Resizer:
    """Brings a pod's containers to the resources of its spec, or says why not."""

    def __init__(self, node: Node, uid: str, containers: Sequence[Container]) -> None:
        self._node = node
        self._uid = uid
        self._containers = containers
        self.condition: Object | None = None
        """PodResizePending while the spec asks for what the node does not give; None otherwise."""

    def reconcile(self, pod: Object) -> list[Container]:
        """Apply what changed; returns the containers whose resize policy wants a restart for it."""
        wanted = {spec["name"]: spec for spec in pod["spec"]["containers"]}
        changed = [
            one for one in self._containers if (wanted[one.name].get("resources") or {}) != one.applied
        ]
        if not changed:
            self.condition = None
            return []
        asked = requests(pod)
        lacking = self._node.claim(self._uid, asked)
        if lacking is not None:
            self.condition = {
                "type": "PodResizePending",
                "status": "True",
                "reason": "Deferred" if self._node.fits_ever(asked) else "Infeasible",
                "message": f"node {self._node.name} has not enough {lacking}",
            }
            return []
        self.condition = None
        restarts = [one for one in changed if _wants_restart(one.applied, wanted[one.name])]
        for container in changed:
            container.resize(wanted[container.name])
        return restarts


def _wants_restart(before: Object, spec: Object) -> bool:
    policies = {one["resourceName"]: one["restartPolicy"] for one in spec.get("resizePolicy") or []}
    after = spec.get("resources") or {}
    return any(
        policy == "RestartContainer" and _of(before, name) != _of(after, name)
        for name, policy in policies.items()
    )


def _of(resources: Object, name: str) -> tuple[object, object]:
    return (resources.get("requests") or {}).get(name), (resources.get("limits") or {}).get(name)
