"""The witness: what the API server's audit log says that the controller did."""

from datetime import datetime

from barista.platforms.knative.bounds import MIN_SCALE
from tests.cluster.cluster import Cluster
from tests.cluster.rest import Object

WHO = "system:serviceaccount:barista-system:barista-controller"
WRITING = ("create", "patch", "update", "delete")


def audited(cluster: Cluster) -> list[Object]:
    """The controller's requests that were answered in full, oldest first."""
    events = (event for event in cluster.audit() if event["stage"] == "ResponseComplete")
    return [event for event in events if event["user"]["username"] == WHO and "objectRef" in event]


def kind_of(event: Object) -> str:
    """The resource that a request was about, with its subresource: ``pods/resize``."""
    what = event["objectRef"]
    part = what.get("subresource")
    return f"{what['resource']}/{part}" if part else str(what["resource"])


def writes(cluster: Cluster, namespace: str | None = None) -> list[tuple[str, str]]:
    """Kind and name of what the controller wrote, or tried to (in `namespace`)."""
    return [
        (kind_of(event), event["objectRef"].get("name", ""))
        for event in audited(cluster)
        if event["verb"] in WRITING and namespace in (None, event["objectRef"].get("namespace"))
    ]


def written_minima(cluster: Cluster, namespace: str) -> list[tuple[float, int]]:
    """The minima that the controller wrote on the Revisions of `namespace`, and when (s since the epoch).

    Where it took one away, it is 0.
    """
    found = []
    for event in audited(cluster):
        is_here = event["objectRef"].get("namespace") == namespace and kind_of(event) == "revisions"
        if is_here and event["verb"] == "patch":
            marks = event["requestObject"]["metadata"]["annotations"]
            at_s = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
            found.append((at_s, int(marks[MIN_SCALE] or 0)))
    return found
