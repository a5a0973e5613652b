"""The cluster that the other cluster tests stand on, itself tested."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from barista.models import build_models
from tests.cluster.cluster import GPU_TAINT, Cluster, CommandFailed
from tests.cluster.images import STUB, TORCHSERVE
from tests.cluster.rest import STRATEGIC, Object, until

SERVING = "/apis/serving.knative.dev/v1"
QUICK = ("--annotation", "autoscaling.knative.dev/window=6s")
"""The shortest window that Knative allows: scaling to zero is seen within seconds."""


class Service:
    """A Knative Service made with `kn` in the test's namespace."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, *options: str) -> None:
        self._cluster = cluster
        self.namespace, self.name = namespace, name
        image = () if "--image" in options else ("--image", STUB)
        cluster.kn("service", "create", name, "--namespace", namespace, *image, *QUICK, *options)

    def now(self) -> Object:
        return self._cluster.rest.get(f"{SERVING}/namespaces/{self.namespace}/services/{self.name}")

    @property
    def revision(self) -> str:
        return str(self.now()["status"]["latestReadyRevisionName"])

    def revisions(self) -> list[str]:
        found = self._cluster.rest.items(f"{SERVING}/namespaces/{self.namespace}/revisions")
        return [one["metadata"]["name"] for one in found]

    def pods(self) -> list[Object]:
        return self._cluster.pods(self.namespace, f"serving.knative.dev/service={self.name}")

    def staying_pods(self) -> list[Object]:
        return [one for one in self.pods() if "deletionTimestamp" not in one["metadata"]]

    def ready_pods(self) -> list[Object]:
        return [one for one in self.staying_pods() if _ready(one)]

    def call(self, path: str = "/", **options: Any) -> requests.Response:
        return self._cluster.call(self.now()["status"]["url"], path, **options)

    def patch_revision(self, **scale: str) -> None:
        annotations = {f"autoscaling.knative.dev/{key.replace('_', '-')}": scale[key] for key in scale}
        path = f"{SERVING}/namespaces/{self.namespace}/revisions/{self.revision}"
        self._cluster.rest.patch(path, {"metadata": {"annotations": annotations}})


@pytest.fixture(scope="module")
def hello(cluster: Cluster) -> Iterator[Service]:
    namespace = cluster.create_namespace("hello")
    yield Service(cluster, namespace, "hello", "--env", "SERVICE_TIME=20ms", "--limit", "cpu=1,memory=256Mi")
    cluster.rest.delete(f"/api/v1/namespaces/{namespace}")


def test_a_service_made_with_kn_is_ready_and_answers_through_the_ingress(hello: Service) -> None:
    answer = hello.call("/predictions/anything", json={"x": 1})

    assert answer.status_code == 200
    assert answer.json()["revision"] == hello.revision
    containers = {one["name"] for one in hello.pods()[0]["status"]["containerStatuses"]}
    assert containers == {"user-container", "queue-proxy"}


def test_min_scale_patched_on_a_revision_starts_replicas_without_a_new_revision_or_a_restart(
    hello: Service,
) -> None:
    hello.call()
    before = {one["metadata"]["uid"] for one in until(hello.ready_pods, "a replica")}
    revisions = hello.revisions()

    hello.patch_revision(min_scale="3", max_scale="5")
    until(lambda: len(hello.ready_pods()) == 3, "three replicas")

    pods = hello.ready_pods()
    assert before <= {one["metadata"]["uid"] for one in pods}
    assert hello.revisions() == revisions
    assert all(status["restartCount"] == 0 for one in pods for status in one["status"]["containerStatuses"])


def test_an_invalid_bound_is_refused_by_knatives_webhook(hello: Service) -> None:
    with pytest.raises(Exception, match="400"):
        hello.patch_revision(min_scale="5", max_scale="1")


def test_a_running_replica_gets_more_cpu_in_place(cluster: Cluster, hello: Service) -> None:
    hello.patch_revision(min_scale="1", max_scale="5")
    pod = until(hello.ready_pods, "a replica")[0]
    path = f"/api/v1/namespaces/{hello.namespace}/pods/{pod['metadata']['name']}"

    assert _status(pod, "user-container")["resources"]["limits"]["cpu"] == "1"
    _resize(cluster, path, {"limits": {"cpu": "1500m"}})
    until(
        lambda: _status(cluster.rest.get(path), "user-container")["resources"]["limits"]["cpu"] == "1500m",
        "the new limit in force",
    )

    now = cluster.rest.get(path)
    assert _status(now, "user-container")["containerID"] == _status(pod, "user-container")["containerID"]
    assert _status(now, "user-container")["restartCount"] == 0


def test_a_resize_beyond_the_node_is_refused_or_reported(cluster: Cluster, hello: Service) -> None:
    pod = until(hello.ready_pods, "a replica")[0]
    path = f"/api/v1/namespaces/{hello.namespace}/pods/{pod['metadata']['name']}"

    with pytest.raises(Exception, match="403"):
        _resize(cluster, path, {"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}})


def test_a_service_goes_to_zero_and_a_request_brings_it_back(hello: Service) -> None:
    hello.patch_revision(min_scale="0", max_scale="5")
    until(lambda: not hello.staying_pods(), "no replica", 90)
    before = {one["metadata"]["name"] for one in hello.pods()}

    answer = hello.call()

    assert answer.status_code == 200
    assert answer.json()["pod"] not in before
    assert len(until(hello.ready_pods, "a replica")) == 1


def test_load_makes_knatives_own_autoscaler_add_replicas(cluster: Cluster, namespace: str) -> None:
    busy = Service(cluster, namespace, "busy", "--env", "SERVICE_TIME=300ms", "--concurrency-limit", "2")

    with ThreadPoolExecutor(8) as clients:
        end = time.monotonic() + 60
        done = [clients.submit(_ask_until, busy, end, 3) for _ in range(8)]
        codes = {code for one in done for code in one.result()}

    assert codes == {200}
    assert len(busy.pods()) >= 3


def test_a_replica_that_asks_for_a_gpu_lands_on_the_gpu_node(cluster: Cluster, namespace: str) -> None:
    path = f"{SERVING}/namespaces/{namespace}/services"
    container = {"image": STUB, "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    tolerations = [{"key": GPU_TAINT["key"], "operator": "Exists"}]
    template = {"spec": {"containers": [container], "tolerations": tolerations}}
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "gpu", "namespace": namespace},
        "spec": {"template": template},
    }
    cluster.rest.create(path, service)

    pod = until(lambda: [one for one in cluster.pods(namespace) if _ready(one)], "a replica with a GPU")[0]
    assert pod["spec"]["nodeName"] == "gpu-1"


def test_a_replica_that_no_node_holds_stays_pending(cluster: Cluster, namespace: str) -> None:
    container = {"name": "c", "image": STUB, "resources": {"requests": {"cpu": "33"}}}
    body = {"metadata": {"name": "big"}, "spec": {"containers": [container]}}
    cluster.rest.create(f"/api/v1/namespaces/{namespace}/pods", body)

    def why() -> str:
        conditions = cluster.pods(namespace)[0]["status"].get("conditions") or []
        return next((one.get("reason", "") for one in conditions if one["type"] == "PodScheduled"), "")

    assert until(why, "a verdict of the scheduler") == "Unschedulable"


def test_a_failing_container_is_restarted(cluster: Cluster, namespace: str) -> None:
    command = ["sh", "-c", "sleep 0.5; exit 3"]
    body = {
        "metadata": {"name": "f"},
        "spec": {"containers": [{"name": "c", "image": STUB, "command": command}]},
    }
    cluster.rest.create(f"/api/v1/namespaces/{namespace}/pods", body)

    def ended() -> Object | None:
        statuses = cluster.pods(namespace)[0]["status"].get("containerStatuses") or []
        return next((one for one in statuses if one["restartCount"]), None)

    assert until(ended, "a restart")["lastState"]["terminated"]["exitCode"] == 3


def test_a_mounted_configmap_changes_under_the_running_container(cluster: Cluster, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.rest.create(maps, {"metadata": {"name": "m"}, "data": {"word": "before\n"}})
    watching = ["sh", "-c", "cat /etc/m/word; while ! grep after /etc/m/word; do sleep 0.2; done; sleep 60"]
    container = {
        "name": "c",
        "image": STUB,
        "command": watching,
        "volumeMounts": [{"name": "m", "mountPath": "/etc/m"}],
    }
    spec = {"containers": [container], "volumes": [{"name": "m", "configMap": {"name": "m"}}]}
    cluster.rest.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": spec})
    until(lambda: cluster.logs(namespace, "p", "c") == "before\n", "the first word")

    cluster.rest.patch(f"{maps}/m", {"data": {"word": "after\n"}})

    until(lambda: cluster.logs(namespace, "p", "c") == "before\nafter\n", "the second word")


def test_a_resize_waits_until_the_node_has_room(cluster: Cluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    for name in ("stays", "goes"):
        container = {"name": "c", "image": STUB, "resources": {"requests": {"cpu": "12"}}}
        spec = {"nodeName": "cpu-2", "containers": [container], "terminationGracePeriodSeconds": 1}
        cluster.rest.create(pods, {"metadata": {"name": name}, "spec": spec})
    until(lambda: all(_ready(one) for one in cluster.pods(namespace)), "both pods")

    container = {"name": "c", "resources": {"requests": {"cpu": "24"}}}
    cluster.rest.patch(f"{pods}/stays/resize", {"spec": {"containers": [container]}}, STRATEGIC)
    pending = until(
        lambda: _condition(cluster.rest.get(f"{pods}/stays"), "PodResizePending"), "PodResizePending"
    )
    assert pending["reason"] == "Deferred"
    assert _status(cluster.rest.get(f"{pods}/stays"), "c")["resources"]["requests"]["cpu"] == "12"

    cluster.rest.delete(f"{pods}/goes")

    def resized() -> bool:
        pod = cluster.rest.get(f"{pods}/stays")
        in_force = _status(pod, "c")["resources"]["requests"]["cpu"] == "24"
        return in_force and _condition(pod, "PodResizePending") is None

    until(resized, "the resize in force")


def test_torchserve_serves_a_model_of_the_store(cluster: Cluster, namespace: str) -> None:
    built = build_models(["digits"])["digits"]
    service = Service(
        *(cluster, namespace, "digits"),
        *("--image", TORCHSERVE, "--concurrency-limit", "1", "--limit", "cpu=1,memory=1Gi"),
        *("--probe-readiness", "http::8080:/ping"),
    )

    headers = {"Content-Type": built.content_type}

    # TorchServe's port answers before its worker has loaded the model.
    def predicted() -> requests.Response | None:
        answer = service.call("/predictions/digits", data=built.body(), headers=headers)
        return answer if answer.status_code == 200 else None

    assert until(predicted, "a prediction").json()


def test_pods_and_requests_outlive_a_restart_of_the_api_server(cluster: Cluster, hello: Service) -> None:
    hello.patch_revision(min_scale="1", max_scale="5")
    before = until(hello.ready_pods, "a replica")[0]
    url = hello.now()["status"]["url"]

    cluster.stop("apiserver")
    assert cluster.call(url).status_code == 200
    cluster.start("apiserver")

    hello.patch_revision(min_scale="2", max_scale="5")
    until(lambda: len(hello.ready_pods()) == 2, "a second replica")
    assert before["metadata"]["uid"] in {one["metadata"]["uid"] for one in hello.ready_pods()}


def test_prometheus_sees_queue_proxy_by_service_and_revision(cluster: Cluster, hello: Service) -> None:
    hello.call()
    query = f'http_server_request_duration_seconds_count{{namespace="{hello.namespace}",service="hello"}}'

    def series() -> list[Object]:
        found = requests.get(f"{cluster.prometheus_url}/api/v1/query", {"query": query}, timeout=10).json()
        return list(found["data"]["result"])

    labels = until(series, "queue-proxy's series")[0]["metric"]
    assert labels["revision"] == hello.revision


def test_the_audit_log_names_who_wrote_what(cluster: Cluster, namespace: str) -> None:
    cluster.rest.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "robot"}})
    kubeconfig = cluster.service_account_kubeconfig(namespace, "robot")

    with pytest.raises(CommandFailed, match="forbidden"):
        cluster.kn("service", "list", "--namespace", namespace, "--kubeconfig", str(kubeconfig))

    robot = f"system:serviceaccount:{namespace}:robot"
    events = until(
        lambda: [one for one in cluster.audit() if one["user"]["username"] == robot], "the robot's requests"
    )
    assert {(one["verb"], one["objectRef"]["resource"]) for one in events} == {("list", "services")}
    assert {one["responseStatus"]["code"] for one in events} == {403}


def _ask_until(service: Service, end: float, replicas: int) -> list[int]:
    codes = []
    while time.monotonic() < end and len(service.pods()) < replicas:
        codes.append(service.call().status_code)
    return codes


def _resize(cluster: Cluster, path: str, resources: Object) -> None:
    container = {"name": "user-container", "resources": resources}
    cluster.rest.patch(f"{path}/resize", {"spec": {"containers": [container]}}, STRATEGIC)


def _status(pod: Object, name: str) -> Object:
    return next(one for one in pod["status"]["containerStatuses"] if one["name"] == name)


def _ready(pod: Object) -> bool:
    ready = _condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def _condition(pod: Object, kind: str) -> Object | None:
    return next((one for one in pod["status"].get("conditions") or [] if one["type"] == kind), None)
