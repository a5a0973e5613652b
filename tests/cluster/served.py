"""Knative Services as users have them: made with `kn`, opted in by annotations, under load."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from barista.platforms.knative.bounds import MAX_SCALE, MIN_SCALE
from tests.cluster.cluster import Cluster
from tests.cluster.images import STUB
from tests.cluster.rest import Object

SERVING = "/apis/serving.knative.dev/v1"
OURS = "/apis/knative-barista.dev/v1alpha1"
BARE = (
    *("--image", STUB, "--env", "SERVICE_TIME=100ms", "--concurrency-limit", "1", "--scale-max", "4"),
    *("--annotation", "autoscaling.knative.dev/window=6s", "--limit", "cpu=1,memory=256Mi"),
)
"""A model that answers one request in 100 ms, and no two at once."""


class Served:
    """A Knative Service; its execution profile is stated beforehand where `setup_s` is known."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        *options: str,
        image: Sequence[str] = BARE,
        setup_s: float | None = 4.0,
    ) -> None:
        self._cluster, self.namespace, self.name = cluster, namespace, name
        if setup_s is not None:
            self.profile(setup_s)
        cluster.kn("service", "create", name, "--namespace", namespace, *image, *options)

    @property
    def path(self) -> str:
        return f"{SERVING}/namespaces/{self.namespace}/services/{self.name}"

    @property
    def url(self) -> str:
        return str(self._cluster.rest.get(self.path)["status"]["url"])

    def profile(self, setup_s: float, flavor: str = "cpu-1") -> None:
        """State its execution profile on `flavor`: until then it is not scaled."""
        self._cluster.rest.apply(profile_of(self.namespace, self.name, setup_s, flavor))

    def revisions(self) -> list[Object]:
        found = self._cluster.rest.items(f"{SERVING}/namespaces/{self.namespace}/revisions")
        return [one for one in found if one["metadata"]["labels"]["serving.knative.dev/service"] == self.name]

    def bounds(self) -> tuple[str | None, str | None]:
        marks = self.revisions()[-1]["metadata"]["annotations"]
        return marks.get(MIN_SCALE), marks.get(MAX_SCALE)

    def minimum(self) -> int:
        return int(self.bounds()[0] or 0)

    def bound(self, least: str, most: str) -> None:
        """Write bounds on the newest Revision, as somebody else."""
        path = f"{SERVING}/namespaces/{self.namespace}/revisions/{self.revisions()[-1]['metadata']['name']}"
        marks = {MIN_SCALE: least, MAX_SCALE: most}
        self._cluster.rest.patch(path, {"metadata": {"annotations": marks}})

    def pods(self) -> list[Object]:
        pods = self._cluster.pods(self.namespace, f"serving.knative.dev/service={self.name}")
        return [one for one in pods if "deletionTimestamp" not in one["metadata"]]

    def ready(self) -> list[Object]:
        return [one for one in self.pods() if _is_ready(one)]

    def plan(self) -> Object:
        found = self._cluster.rest.find(f"{OURS}/namespaces/{self.namespace}/scalingplans/{self.name}")
        status: Object = (found or {}).get("status") or {}
        return status

    def condition(self, kind: str) -> str:
        conditions = self.plan().get("conditions") or ()
        return next((f"{c['status']} {c['reason']}" for c in conditions if c["type"] == kind), "")

    def events(self) -> list[Object]:
        """What was told about it by Barista."""
        events = self._cluster.rest.items(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")
        ours = (e for e in events if e.get("reportingController", "").startswith("knative-barista.dev/"))
        return [event for event in ours if event["regarding"]["name"] == self.name]

    def annotate(self, **annotations: str | None) -> None:
        marks = {f"knative-barista.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
        self._cluster.rest.patch(self.path, {"metadata": {"annotations": marks}})

    @contextlib.contextmanager
    def load(self, rps: float, path: str = "/", **request: Any) -> Iterator[None]:
        """Requests through the ingress, open loop, while the context lasts."""
        over, host = threading.Event(), self.url

        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                self._cluster.call(host, path, **request)

        def run() -> None:
            while not over.wait(1 / rps):
                threading.Thread(target=ask, daemon=True).start()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def opted_in(
    cluster: Cluster,
    namespace: str,
    name: str,
    authority: str,
    *options: str,
    image: Sequence[str] = BARE,
    setup_s: float | None = 4.0,
    **annotations: str,
) -> Served:
    """A service that asks for 400 ms under `authority`, and whatever else the `annotations` say."""
    asked: Mapping[str, str] = {"latency-slo": "400ms", "authority": authority, **annotations}
    marks = (("--annotation-service", f"knative-barista.dev/{key}={text}") for key, text in asked.items())
    opting_in = (part for mark in marks for part in mark)
    return Served(cluster, namespace, name, *opting_in, *options, image=image, setup_s=setup_s)


def restarts(pods: list[Object]) -> int:
    """How often containers of `pods` were started again."""
    return sum(one["restartCount"] for pod in pods for one in pod["status"]["containerStatuses"])


def profile_of(namespace: str, model: str, setup_s: float, flavor: str = "cpu-1") -> Object:
    """The ExecutionProfile of a `model` that takes 100 ms for a request, and `setup_s` to be there."""

    def times(seconds: float) -> dict[str, Any]:
        ends = [{"level": level, "seconds": seconds} for level in (0.0, 1.0)]
        return {"meanSeconds": seconds, "quantiles": ends}

    spec = {"model": model, "flavor": flavor, "serviceTime": times(0.1), "setupTime": times(setup_s)}
    return {
        "apiVersion": "knative-barista.dev/v1alpha1",
        "kind": "ExecutionProfile",
        "metadata": {"name": f"{model}-{flavor}", "namespace": namespace},
        "spec": spec,
    }


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
