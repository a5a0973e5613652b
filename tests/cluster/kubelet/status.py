"""The status that a pod reports, worked out from its containers."""

from collections.abc import Mapping, Sequence

from tests.cluster.client import Object
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.times import now

OURS = {
    "Initialized",
    "PodReadyToStartContainers",
    "ContainersReady",
    "Ready",
    "PodResizePending",
    "PodResizeInProgress",
}


def phase(containers: Sequence[Container], *, initialised: bool) -> str:
    """Pending, Running, Succeeded or Failed."""
    if not initialised or all("waiting" in one.state and not one.restarts for one in containers):
        return "Pending"
    codes = [one.exit_code for one in containers]
    if any(code is None for code in codes):
        return "Running"
    return "Failed" if any(codes) else "Succeeded"


def container_status(container: Container) -> Object:
    """One entry of containerStatuses."""
    status: Object = {
        "name": container.name,
        "image": container.spec["image"],
        "imageID": container.spec["image"],
        "containerID": f"process://{container.name}-{container.restarts}",
        "state": container.state,
        "lastState": container.last_state,
        "restartCount": container.restarts,
        "started": container.started,
        "ready": container.ready,
    }
    if container.applied and "running" in container.state:
        status["resources"] = container.applied
        if requests := container.applied.get("requests"):
            status["allocatedResources"] = requests
    return status


def conditions(
    pod: Object, truths: Mapping[str, bool], resize: Object | None, previous: Sequence[Object]
) -> list[Object]:
    """The pod's conditions: others' as they are, ours by `truths`, and `resize` where there is one."""
    generation = pod["metadata"].get("generation", 1)
    kept = [one for one in pod["status"].get("conditions") or [] if one["type"] not in OURS]
    ours = [{"type": kind, "status": str(truth)} for kind, truth in truths.items()]
    if resize is not None:
        ours.append(resize)
    before = {one["type"]: one for one in previous}
    for condition in ours:
        old = before.get(condition["type"])
        same = old is not None and old["status"] == condition["status"]
        condition["lastTransitionTime"] = old["lastTransitionTime"] if same and old else now()
        condition["observedGeneration"] = generation
    return [*kept, *ours]
