"""Following: whether Knative does what its bounds now say.

Usually the Deployment has as many replicas as the new minimum within a tenth of a second. It may not:
after an autoscaler's restart, or from zero. Then the Deployment is scaled directly, once in a while,
until the autoscaler agrees.
"""

import time
from collections.abc import Callable, Sequence

from barista.platforms.knative.bounds import Bounds
from barista.platforms.knative.client import DEPLOYMENTS, ApiServer, Object
from barista.platforms.knative.dialect import REVISION_LABEL
from barista.platforms.knative.snapshot import Snapshot
from barista.platforms.knative.state import RevisionState, ServiceState, condition
from barista.values.service import ServiceId

PATIENCE_S = 8.0
"""How long Knative may take before the Deployment is scaled directly."""


class Followers:
    """Checks Revisions after their bounds were written, and helps where Knative does not follow."""

    def __init__(self, server: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._clock = server, clock
        self._behind_since_s: dict[tuple[ServiceId, str], float] = {}

    def check(
        self, service: ServiceState, revision: RevisionState, wanted: Bounds, snapshot: Snapshot
    ) -> str:
        """What is wrong with the revision's replicas, in words; empty when they follow `wanted`.

        Raises PlatformUnavailable or Refused when the Deployment cannot be scaled.
        """
        key, least = (service.id, revision.name), wanted.least or 0
        deployment = _of_revision(snapshot.deployments.get(service.id, ()), revision.name)
        ordered = int((deployment or {}).get("spec", {}).get("replicas") or 0)
        if deployment is None or ordered >= least:
            self._behind_since_s.pop(key, None)
            return _without_node(snapshot, service.id, revision.name)
        now_s = self._clock()
        since_s = self._behind_since_s.setdefault(key, now_s)
        if now_s - since_s < PATIENCE_S:
            return ""
        path = DEPLOYMENTS.path(service.namespace, deployment["metadata"]["name"], "scale")
        self._server.patch(path, {"spec": {"replicas": least}})
        self._behind_since_s[key] = now_s
        return (
            f"revision {revision.name}: Knative had ordered {ordered} of {least} replicas after"
            f" {now_s - since_s:.0f} s; its Deployment was scaled directly"
        )


def _of_revision(objects: Sequence[Object], revision: str) -> Object | None:
    return next((o for o in objects if o["metadata"]["labels"].get(REVISION_LABEL) == revision), None)


def _without_node(snapshot: Snapshot, service: ServiceId, revision: str) -> str:
    pods = [
        p for p in snapshot.pods.get(service, ()) if p["metadata"]["labels"].get(REVISION_LABEL) == revision
    ]
    homeless = [c for pod in pods if (c := condition(pod, "PodScheduled")) and c.get("status") == "False"]
    if not homeless:
        return ""
    said = homeless[0].get("message") or "no node has room"
    return f"revision {revision}: {len(homeless)} of {len(pods)} replicas have no node: {said}"
