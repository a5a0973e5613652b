"""The dialect: all that is known here of how versions of Knative name and treat things.

Since 1.21 a change of a Revision's annotations reaches its PodAutoscaler; before, it does not, and Barista
only advises. Metrics have had three sets of names. A build without a version ("devel") is taken to
be newer than any release.
"""

import re
from dataclasses import dataclass
from functools import total_ordering

SERVING = "serving.knative.dev"
SERVICE_LABEL = f"{SERVING}/service"
REVISION_LABEL = f"{SERVING}/revision"
QUEUE_PROXY = "queue-proxy"
"""The container that Knative adds to each pod."""

AUTOSCALING = "autoscaling.knative.dev"
BURST_CAPACITY = (f"{AUTOSCALING}/target-burst-capacity", f"{AUTOSCALING}/targetBurstCapacity")

SYSTEM_NAMESPACE = "knative-serving"
AUTOSCALER_CONFIG = "config-autoscaler"
VERSION_LABEL = "app.kubernetes.io/version"


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version of Knative Serving."""

    major: int
    minor: int
    patch: int = 0

    @staticmethod
    def parse(text: str | None) -> "Version | None":
        """The version that a label tells (``1.21.0``, ``v1.21.0``); None where it tells none."""
        match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text or "")
        return Version(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None

    def __lt__(self, other: "Version") -> bool:
        return (self.major, self.minor, self.patch) < (other.major, other.minor, other.patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


REVISIONS_FOLLOW = Version(1, 21)
"""Since when a patched Revision moves its PodAutoscaler."""


def too_old(version: Version | None) -> str | None:
    """Why this Knative cannot be scaled by patching Revisions; None when it can, or names no version."""
    if version is None or version >= REVISIONS_FOLLOW:
        return None
    return f"Knative {version}: changed bounds reach running Revisions from {REVISIONS_FOLLOW} on; upgrade it"


@dataclass(frozen=True, slots=True)
class SeriesNames:
    """How a version of the queue-proxy names what it measures.

    `requests` counts all requests, refused ones too; `latency` is the histogram of their times, in
    units of `latency_unit_s`; `depth` is what is in flight in one pod. Namespace and service stand in
    the labels `namespace` and `service`.
    """

    requests: str
    latency: str
    latency_unit_s: float
    depth: str | None
    namespace: str
    service: str


# The newer queue-proxies name neither service nor namespace: the PodMonitor adds these labels.
_OPEN_TELEMETRY = SeriesNames(
    requests="http_server_request_duration_seconds_count",
    latency="http_server_request_duration_seconds",
    latency_unit_s=1.0,
    depth="kn_serving_queue_depth",
    namespace="namespace",
    service="service",
)
_OPEN_CENSUS = SeriesNames(
    requests="revision_request_count",
    latency="revision_request_latencies",
    latency_unit_s=1e-3,
    depth=None,
    namespace="namespace_name",
    service="service_name",
)


def series_names(version: Version | None) -> SeriesNames:
    """The names of the queue-proxy's series in `version`."""
    return _OPEN_CENSUS if version is not None and version < Version(1, 19) else _OPEN_TELEMETRY


ACTIVATOR_SERVICE, ACTIVATOR_NAMESPACE = "kn_service_name", "k8s_namespace_name"
"""The activator's labels; its requests are named as the queue-proxy's."""
ACTIVATOR_ALIVE = "kn_activator_stats_conn_reachable"
"""What every activator shows, asked for or not."""
ACTIVATOR_CONCURRENCY = "kn_revision_request_concurrency"
