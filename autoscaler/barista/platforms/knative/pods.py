"""A pod of a Revision, and what a flavor makes of it.

Only the serving container changes: the queue-proxy has the resources that Knative, or the service's
annotations for it, gave it. Requests become the flavor's; limits too, where the template sets limits,
so that the pod's class of service (QoS) stays what the template made it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from barista.platforms.knative.dialect import QUEUE_PROXY
from barista.platforms.knative.quantities import amount
from barista.platforms.knative.resources import FlavorSpec

COUNTED = ("cpu", "memory")
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

Json = Mapping[str, Any]


def serving_container(containers: Iterable[Json]) -> int | None:
    """The place of the container that serves: the one with a port, beside the queue-proxy."""
    users = [(place, c) for place, c in enumerate(containers) if c.get("name") != QUEUE_PROXY]
    serving = [(place, c) for place, c in users if c.get("ports")] if len(users) > 1 else users
    return serving[0][0] if len(serving) == 1 else None


def flavored_resources(resources: Json, flavor: FlavorSpec) -> dict[str, Any]:
    """`resources` of a container, as `flavor` has them; what it does not count is kept."""
    sizes = {"cpu": flavor.cpu, "memory": flavor.memory}
    limits = dict(resources.get("limits") or {})
    requests = {**(resources.get("requests") or {}), **sizes}
    limits |= {name: size for name, size in sizes.items() if name in limits}
    for part in (limits, requests):
        part.pop(flavor.gpu_resource, None)
    if flavor.gpu:
        limits[flavor.gpu_resource] = str(flavor.gpu)
    return {**resources, "requests": requests, **({"limits": limits} if limits else {})}


def qos_class(containers: Iterable[Json]) -> str:
    """The class of service that Kubernetes gives a pod of `containers`."""
    asked, limited = False, True
    for container in containers:
        resources = container.get("resources") or {}
        limits = _counted(resources.get("limits"))
        requests = {**limits, **_counted(resources.get("requests"))}
        asked = asked or bool(requests)
        limited = limited and set(limits) == set(COUNTED) and requests == limits
    if not asked:
        return BEST_EFFORT
    return GUARANTEED if limited else BURSTABLE


def flavored_pod(pod: Json, flavor: FlavorSpec) -> dict[str, Any] | None:
    """The parts of `pod`'s spec that `flavor` changes; None when no one container serves.

    A pod that was not Guaranteed does not become so: its memory limit, which then says nothing that
    its request does not, is taken away.
    """
    spec = pod["spec"]
    containers = [dict(container) for container in spec.get("containers") or ()]
    place = serving_container(containers)
    if place is None:
        return None
    before = qos_class(containers)
    resources = flavored_resources(containers[place].get("resources") or {}, flavor)
    containers[place]["resources"] = resources
    if before != GUARANTEED and qos_class(containers) == GUARANTEED:
        resources["limits"] = {name: size for name, size in resources["limits"].items() if name != "memory"}
    changed: dict[str, Any] = {"containers": containers}
    if flavor.node_selector:
        changed["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **flavor.node_selector}
    there = list(spec.get("tolerations") or ())
    added = [wanted for each in flavor.tolerations if (wanted := each.document()) not in there]
    if added:
        changed["tolerations"] = there + added
    return changed


def _counted(amounts: Mapping[str, Any] | None) -> dict[str, float]:
    counted = {name: amount(str(size)) for name, size in (amounts or {}).items() if name in COUNTED}
    return {name: size for name, size in counted.items() if size > 0}
