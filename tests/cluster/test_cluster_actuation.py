"""The controller on real Knative: it speaks with the rights that the manifests give it, and no others.

What it wrote is read from the API server's audit log. Load is replayed through the ingress; Prometheus
scrapes the real queue-proxies. The controller runs beside the cluster, so that tests can end it.
"""

import subprocess
import sys
import time

from barista.cli.cluster import platform_on
from barista.platforms.knative.client import ApiServer
from barista.platforms.knative.events import Events
from barista.platforms.knative.snapshot import ClusterWatch
from barista.values.decision import Decision, Vertical
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.service import Authority, Service, ServiceId, Slo
from tests.cluster.cluster import Cluster
from tests.cluster.controllers import Running
from tests.cluster.rest import Object, until
from tests.cluster.served import Served, opted_in, restarts
from tests.cluster.witness import writes


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
    assert restarts(pods) == 0
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
    written = writes(cluster, namespace)
    assert {kind for kind, _ in written} <= {"scalingplans", "scalingplans/status", "events"}
    assert "stranger" not in {name for _, name in written}


def test_who_opts_out_gets_back_what_was_found(cluster: Cluster, namespace: str, controller: Running) -> None:
    model = opted_in(cluster, namespace, "model", "pin")
    until(lambda: model.bounds()[0] is not None, "bounds", 90)
    model.annotate(latency_slo=None)
    until(lambda: model.bounds() == (None, "4"), "the bounds that were found", 60)
    until(lambda: "revisions" not in model.plan(), "a plan that keeps nothing to give back")


def test_a_replica_becomes_another_flavor_in_place_without_a_restart(
    cluster: Cluster, namespace: str, controller: Running
) -> None:
    model = opted_in(cluster, namespace, "model", "advise")
    (pod,) = until(model.ready, "a replica")
    server = ApiServer.connect(controller.kubeconfig)
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


def _container(pod: Object) -> Object:
    found = pod["status"]["containerStatuses"]
    return next(one for one in found if one["name"] == "user-container")
