"""The controller on real Knative: it speaks with the rights that the manifests give it, and no others.

What it wrote is read from the API server's audit log. Load is replayed through the ingress; Prometheus
scrapes the real queue-proxies. The controller runs beside the cluster, so that tests can kill it.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from barista.cli.cluster import platform_on
from barista.platforms.knative.client import ApiServer
from barista.platforms.knative.events import Events
from barista.platforms.knative.snapshot import ClusterWatch
from barista.values.decision import Decision, Vertical
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.service import Authority, Service, ServiceId, Slo
from tests.cluster.cluster import Cluster
from tests.cluster.images import STUB
from tests.cluster.installed import ROOT, install
from tests.cluster.rest import Object, until

SERVING = "/apis/serving.knative.dev/v1"
OURS = "/apis/knative-barista.dev/v1alpha1"
WHO = "system:serviceaccount:barista-system:barista-controller"
MIN_SCALE, MAX_SCALE = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"
INSTALLED = ("crds.yaml", "namespace.yaml", "rbac-controller.yaml")
QUICK = ("--annotation", "autoscaling.knative.dev/window=6s", "--limit", "cpu=1,memory=256Mi")
RIGHTS = ("create", "patch", "update", "delete", "put")
CONFIGURATION = """
pools: {cpu: {cpu: 60, memory_gib: 200}}
flavors: {cpu-1: {pool: cpu, cpu: 1, memory_gib: 0.25, cost_per_hour: 0.05}}
defaults: {min_replicas: 0, forecaster: {name: last-value}}
planner: {name: greedy}
control: {cycle_s: 3, step_min_s: 5, window_s: 12, stabilisation_s: 12, stale_after_s: 30}
"""


class Running:
    """A controller beside the cluster, as its service account."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster, self._directory = cluster, directory
        (directory / "barista.yaml").write_text(CONFIGURATION)
        self._kubeconfig = cluster.service_account_kubeconfig("barista-system", "barista-controller")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def start(self) -> None:
        """Start it, and wait until it is ready and leads."""
        command = [sys.executable, "-m", "barista", "controller", "--bind", "127.0.0.1"]
        options = {
            "--config": self._directory / "barista.yaml",
            "--kubeconfig": self._kubeconfig,
            "--prometheus": self._cluster.prometheus_url,
            "--port": self.port,
        }
        arguments = [str(part) for pair in options.items() for part in pair]
        with (self._directory / "controller.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log)
        until(lambda: "barista_leader 1.0" in self.ask("/metrics"), "a leading controller", 90)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and wait for that."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)

    def ask(self, path: str) -> str:
        """What its API says; nothing while it does not answer."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5).text
        except requests.RequestException:
            return ""


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    files = (ROOT / "manifests" / "base" / name for name in INSTALLED)
    install(cluster, [obj for file in files for obj in yaml.safe_load_all(file.read_text()) if obj])
    running = Running(cluster, tmp_path_factory.mktemp("controller"))
    running.start()
    yield running
    running.end()


class Served:
    """A Knative Service of the stub model, made with `kn`, its execution profile measured beforehand."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, *options: str) -> None:
        self._cluster, self.namespace, self.name = cluster, namespace, name
        cluster.rest.create(f"{OURS}/namespaces/{namespace}/executionprofiles", _profile(namespace, name))
        cluster.kn(
            *("service", "create", name, "--namespace", namespace, "--image", STUB),
            *("--env", "SERVICE_TIME=100ms", "--concurrency-limit", "1", "--scale-max", "4"),
            *QUICK,
            *options,
        )

    @property
    def path(self) -> str:
        return f"{SERVING}/namespaces/{self.namespace}/services/{self.name}"

    def revisions(self) -> list[Object]:
        found = self._cluster.rest.items(f"{SERVING}/namespaces/{self.namespace}/revisions")
        return [one for one in found if one["metadata"]["labels"]["serving.knative.dev/service"] == self.name]

    def bounds(self) -> tuple[str | None, str | None]:
        marks = self.revisions()[-1]["metadata"]["annotations"]
        return marks.get(MIN_SCALE), marks.get(MAX_SCALE)

    def minimum(self) -> int:
        return int(self.bounds()[0] or 0)

    def ready(self) -> list[Object]:
        pods = self._cluster.pods(self.namespace, f"serving.knative.dev/service={self.name}")
        return [one for one in pods if "deletionTimestamp" not in one["metadata"] and _is_ready(one)]

    def plan(self) -> Object:
        found = self._cluster.rest.find(f"{OURS}/namespaces/{self.namespace}/scalingplans/{self.name}")
        status: Object = (found or {}).get("status") or {}
        return status

    def condition(self, kind: str) -> str:
        conditions = self.plan().get("conditions") or ()
        return next((f"{c['status']} {c['reason']}" for c in conditions if c["type"] == kind), "")

    def annotate(self, **annotations: str | None) -> None:
        marks = {f"knative-barista.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
        self._cluster.rest.patch(self.path, {"metadata": {"annotations": marks}})

    @contextlib.contextmanager
    def load(self, rps: float) -> Iterator[None]:
        """Requests through the ingress, open loop, while the context lasts."""
        over = threading.Event()
        host = self._cluster.rest.get(self.path)["status"]["url"]

        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                self._cluster.call(host)

        def run() -> None:
            while not over.wait(1 / rps):
                threading.Thread(target=ask, daemon=True).start()

        thread = threading.Thread(target=run)
        thread.start()
        yield
        over.set()
        thread.join()


def opted_in(cluster: Cluster, namespace: str, name: str, authority: str) -> Served:
    asked = {"latency-slo": "400ms", "authority": authority}
    marks = (("--annotation-service", f"knative-barista.dev/{key}={text}") for key, text in asked.items())
    return Served(cluster, namespace, name, *(part for mark in marks for part in mark))


def test_load_raises_the_minimum_of_a_running_revision_and_its_end_lowers_it(
    cluster: Cluster, namespace: str, controller: Running
) -> None:
    model = opted_in(cluster, namespace, "model", "floor")
    first = {one["metadata"]["uid"] for one in model.ready()}
    with model.load(10):
        raised = until(lambda: (n := model.minimum()) >= 2 and n, "a raised minimum", 90)
        until(lambda: len(model.ready()) >= raised, "the replicas ready", 60)
    pods = model.ready()
    assert len(model.revisions()) == 1
    assert all(status["restartCount"] == 0 for one in pods for status in one["status"]["containerStatuses"])
    assert first <= {one["metadata"]["uid"] for one in pods}
    assert model.condition("Applied") == "True Applied"
    until(lambda: model.minimum() < raised, "a lowered minimum", 120)
    assert model.bounds()[1] == "4"


def test_advise_and_services_that_did_not_ask_are_never_written_to(
    cluster: Cluster, namespace: str, controller: Running
) -> None:
    advised = opted_in(cluster, namespace, "advised", "advise")
    Served(cluster, namespace, "stranger")
    with advised.load(10):
        until(lambda: advised.condition("Applied") == "False Advising", "advice", 90)
        until(lambda: sum(advised.plan()["choice"]["raw"].values()) >= 2, "a plan for more", 60)
    assert advised.bounds() == (None, "4")
    kinds = {kind for kind, _, _ in _writes(cluster, namespace)}
    assert kinds <= {"scalingplans", "scalingplans/status", "events"}
    assert "stranger" not in {name for _, name, _ in _writes(cluster, namespace)}


def test_who_opts_out_gets_back_what_was_found(cluster: Cluster, namespace: str, controller: Running) -> None:
    model = opted_in(cluster, namespace, "model", "pin")
    until(lambda: model.bounds()[0] is not None, "bounds", 90)
    model.annotate(latency_slo=None)
    until(lambda: model.bounds() == (None, "4"), "the bounds that were found", 60)
    assert "revisions" not in model.plan()


def test_a_controller_that_is_killed_lowers_nothing_and_the_next_one_goes_on(
    cluster: Cluster, namespace: str, controller: Running
) -> None:
    model = opted_in(cluster, namespace, "model", "floor")
    with model.load(10):
        raised = until(lambda: (n := model.minimum()) >= 2 and n, "a raised minimum", 90)
        controller.end(signal.SIGKILL)
        controller.start()
        seen = [model.minimum()]
        end = time.monotonic() + 15
        while time.monotonic() < end:
            seen.append(model.minimum())
            time.sleep(1)
    assert min(seen) >= raised


def test_a_replica_becomes_another_flavor_in_place_without_a_restart(
    cluster: Cluster, namespace: str, controller: Running
) -> None:
    model = opted_in(cluster, namespace, "model", "advise")
    (pod,) = until(model.ready, "a replica")
    server = ApiServer.connect(cluster.kubeconfig)
    watch = ClusterWatch(server)
    watch.start()
    watch.wait_listed()
    platform = platform_on(server, watch, Events(server, "test"), lambda: True)
    service = ServiceId(f"{namespace}/model")
    flavors = [Flavor(f"cpu-{n}", "cpu", n, 0.25, n / 10, family="one") for n in (1, 2)]
    catalogue = Catalogue({"cpu": Pool("cpu", 8, 8)}, {flavor.name: flavor for flavor in flavors})
    platform.watch_over([Service(service, "model", Slo(0.4), ("cpu-1", "cpu-2"))], catalogue, frozenset())
    assert [replica.flavor for replica in platform.state()[service]] == ["cpu-1"]

    before, after = {"cpu-1": 1}, {"cpu-2": 1}
    change, at_s = Vertical("cpu-1", "cpu-2", 1), time.time()
    grow = Decision(service, at_s, Authority.FLOOR, before, after, after, after, (change,), at_s, ())
    (applied,) = platform.apply([grow])
    assert applied.ok, applied.text

    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    until(lambda: _container(cluster.rest.get(path))["resources"]["limits"]["cpu"] == "2", "more cpu")
    now = cluster.rest.get(path)
    assert _container(now)["restartCount"] == 0
    assert _container(now)["containerID"] == _container(pod)["containerID"]
    until(lambda: [r.flavor for r in platform.state()[service]] == ["cpu-2"], "the flavor seen")
    watch.stop()


def test_uninstalling_gives_everything_back(cluster: Cluster, namespace: str, controller: Running) -> None:
    model = opted_in(cluster, namespace, "model", "pin")
    until(lambda: model.bounds()[0] is not None, "bounds", 90)
    controller.end()
    command = [sys.executable, "-m", "barista", "uninstall", "--kubeconfig", str(cluster.kubeconfig)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{namespace}/model: given back" in done.stdout
    assert model.bounds() == (None, "4")
    controller.start()


def test_every_write_was_allowed_and_is_one_that_is_meant(cluster: Cluster, controller: Running) -> None:
    refused = [
        event["responseStatus"] for event in _audited(cluster) if event["responseStatus"]["code"] == 403
    ]
    # The namespace of a test that is over takes no more Events.
    assert [said for said in refused if "being terminated" not in said.get("message", "")] == []
    kinds = {kind for kind, _, _ in _writes(cluster)}
    assert kinds <= {
        *("scalingplans", "scalingplans/status", "revisions", "deployments/scale", "pods/resize"),
        *("events", "leases"),
    }


def _audited(cluster: Cluster) -> list[Object]:
    events = (event for event in cluster.audit() if event["stage"] == "ResponseComplete")
    return [event for event in events if event["user"]["username"] == WHO]


def _writes(cluster: Cluster, namespace: str | None = None) -> list[tuple[str, str, str]]:
    """Kind, name and verb of what the controller wrote (in `namespace`)."""
    found = []
    for event in _audited(cluster):
        what = event["objectRef"]
        if event["verb"] in RIGHTS and namespace in (None, what.get("namespace")):
            part = what.get("subresource")
            kind = f"{what['resource']}/{part}" if part else what["resource"]
            found.append((kind, what.get("name", ""), event["verb"]))
    return found


def _profile(namespace: str, model: str) -> Object:
    def times(seconds: float) -> dict[str, Any]:
        ends = [{"level": level, "seconds": seconds} for level in (0.0, 1.0)]
        return {"meanSeconds": seconds, "quantiles": ends}

    spec = {"model": model, "flavor": "cpu-1", "serviceTime": times(0.1), "setupTime": times(4.0)}
    return {
        "apiVersion": "knative-barista.dev/v1alpha1",
        "kind": "ExecutionProfile",
        "metadata": {"name": f"{model}-cpu-1", "namespace": namespace},
        "spec": spec,
    }


def _container(pod: Object) -> Object:
    found = pod["status"]["containerStatuses"]
    return next(one for one in found if one["name"] == "user-container")


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
