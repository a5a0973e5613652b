"""Admission, asked by a real API server: services are judged, Revisions and pods are born as planned.

No controller runs here: what it would have planned is written into the ScalingPlan's status by hand.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.cluster import Cluster, CommandFailed
from tests.cluster.images import STUB
from tests.cluster.installed import (
    DEPLOYMENTS,
    WEBHOOK,
    install,
    monitor_definitions,
    rendered,
    until_available,
)
from tests.cluster.rest import APPLY, Object, Refused, path_of, until

SERVING = "/apis/serving.knative.dev/v1"
OURS = "/apis/knative-barista.dev/v1alpha1"
FLAVOR = "knative-barista.dev/flavor"
SLO = ("--annotation-service", "knative-barista.dev/latency-slo=250ms")
GPU: Object = {
    "apiVersion": "knative-barista.dev/v1alpha1",
    "kind": "Flavor",
    "metadata": {"name": "gpu-1"},
    "spec": {
        "pool": "gpu",
        "cpu": 2,
        "memory": "2Gi",
        "gpu": 1,
        "costPerHour": 1,
        "nodeSelector": {"knative-barista.dev/pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    },
}


@pytest.fixture(scope="module")
def webhook(webhook: Cluster) -> Cluster:
    """The cluster with the webhook, and a GPU flavor too."""
    install(webhook, [GPU])
    return webhook


@pytest.fixture
def space(webhook: Cluster) -> Iterator[str]:
    name = webhook.create_namespace("admission")
    yield name
    webhook.rest.delete(f"/api/v1/namespaces/{name}")


def plan(cluster: Cluster, space: str, name: str, **status: Any) -> None:
    """Write what a controller would have planned."""
    path = f"{OURS}/namespaces/{space}/scalingplans"
    if cluster.rest.find(f"{path}/{name}") is None:
        named = {"apiVersion": "knative-barista.dev/v1alpha1", "kind": "ScalingPlan"}
        cluster.rest.create(path, {**named, "metadata": {"name": name}, "spec": {}})
    cluster.rest.patch(f"{path}/{name}/status", {"status": status})


def pods(cluster: Cluster, space: str) -> list[Object]:
    """The ready pods that are not going."""
    return [p for p in cluster.pods(space) if "deletionTimestamp" not in p["metadata"] and _ready(p)]


def admitted(cluster: Cluster, space: str, flavor: str) -> Object:
    """A ready pod with `flavor`, soon."""

    def look() -> Object | None:
        bearing = (p for p in pods(cluster, space) if p["metadata"]["annotations"].get(FLAVOR) == flavor)
        return next(bearing, None)

    return until(look, f"a ready pod of flavor {flavor}")


def replace_pods(cluster: Cluster, space: str) -> None:
    for pod in pods(cluster, space):
        cluster.rest.delete(f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}")


def revisions(cluster: Cluster, space: str) -> list[Object]:
    found = cluster.rest.items(f"{SERVING}/namespaces/{space}/revisions")
    return sorted(found, key=lambda revision: str(revision["metadata"]["name"]))


def create(cluster: Cluster, space: str, *options: str) -> None:
    bounds = ("--scale-min", "1", "--scale-max", "5")
    cluster.kn("service", "create", "model", "--namespace", space, "--image", STUB, *bounds, *options)


def test_a_wrong_annotation_is_refused_to_kn_in_words(webhook: Cluster, space: str) -> None:
    with pytest.raises(CommandFailed, match=r"latency-slo of \S+/model: '25x': need a duration like 250ms"):
        create(webhook, space, "--annotation-service", "knative-barista.dev/latency-slo=25x")
    with pytest.raises(CommandFailed, match=r"no such flavor; known: cpu-1, cpu-2, cpu-4, cpu-500m, gpu-1"):
        create(webhook, space, *SLO, "--annotation-service", "knative-barista.dev/flavors=gpu-l4")


def test_new_pods_have_the_planned_flavor_and_a_gpu_flavor_its_nodes(webhook: Cluster, space: str) -> None:
    create(webhook, space, *SLO, "--request", "cpu=100m,memory=64Mi")
    (first,) = pods(webhook, space)
    assert FLAVOR not in first["metadata"]["annotations"]
    (born,) = revisions(webhook, space)

    plan(webhook, space, "model", authority="floor", flavor="cpu-1", replicas=1)
    replace_pods(webhook, space)
    pod = admitted(webhook, space, "cpu-1")
    user, proxy = (
        next(c for c in pod["spec"]["containers"] if (c["name"] == "queue-proxy") is queue)
        for queue in (False, True)
    )
    assert user["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert proxy["resources"] == next(
        c["resources"] for c in first["spec"]["containers"] if c["name"] == "queue-proxy"
    )
    assert pod["status"]["qosClass"] == first["status"]["qosClass"]

    plan(webhook, space, "model", authority="floor", flavor="gpu-1", replicas=1)
    replace_pods(webhook, space)
    assert admitted(webhook, space, "gpu-1")["spec"]["nodeName"].startswith("gpu")
    (still,) = revisions(webhook, space)
    assert still["metadata"]["annotations"] == born["metadata"]["annotations"]


def test_the_next_generation_is_born_with_the_planned_bounds(webhook: Cluster, space: str) -> None:
    create(webhook, space, *SLO)
    plan(webhook, space, "model", authority="pin", flavor="cpu-500m", replicas=2)
    webhook.kn("service", "update", "model", "--namespace", space, "--env", "GENERATION=2")
    first, second = revisions(webhook, space)
    assert _bounds(first) == ("1", "5")
    assert _bounds(second) == ("2", "2")
    until(
        lambda: len([p for p in pods(webhook, space) if FLAVOR in p["metadata"]["annotations"]]) == 2, "two"
    )
    service = webhook.rest.get(f"{SERVING}/namespaces/{space}/services/model")
    assert _bounds(service["spec"]["template"]) == ("1", "5")


@pytest.mark.parametrize("authority", ["advise", "floor"])
def test_neither_advice_nor_a_service_that_did_not_opt_in_is_touched(
    webhook: Cluster, space: str, authority: str
) -> None:
    create(webhook, space, *(SLO if authority == "advise" else ()))
    plan(webhook, space, "model", authority=authority, flavor="cpu-2", replicas=3)
    webhook.kn("service", "update", "model", "--namespace", space, "--env", "GENERATION=2")
    assert [_bounds(revision) for revision in revisions(webhook, space)] == [("1", "5")] * 2
    assert all(FLAVOR not in pod["metadata"]["annotations"] for pod in webhook.pods(space))


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"cpu": 0}, "cpu must be above 0"),
        ({"cpu": "much"}, "spec.cpu"),
        ({"costPerHour": -1}, "spec.costPerHour"),
        ({"pool": None}, "spec.pool"),
    ],
)
def test_a_flavor_that_makes_no_sense_is_refused(webhook: Cluster, spec: Object, fault: str) -> None:
    wrong = {**GPU, "metadata": {"name": "wrong"}, "spec": {**GPU["spec"], **spec}}
    with pytest.raises(Refused, match=fault):
        webhook.rest.create(f"{OURS}/flavors", wrong)


def test_a_profile_is_of_one_model_and_its_quantiles_rise(webhook: Cluster, space: str) -> None:
    def times(*seconds: float) -> Object:
        levels = (0.5, 0.95)
        quantiles = [{"level": level, "seconds": s} for level, s in zip(levels, seconds, strict=True)]
        return {"meanSeconds": seconds[0], "quantiles": quantiles}

    path = f"{OURS}/namespaces/{space}/executionprofiles"
    spec = {"model": "net", "flavor": "cpu-1", "serviceTime": times(0.2, 0.1), "setupTime": times(5, 9)}
    named = {"apiVersion": "knative-barista.dev/v1alpha1", "kind": "ExecutionProfile"}
    profile = {**named, "metadata": {"name": "net"}, "spec": spec}
    with pytest.raises(Refused, match="seconds of quantiles must not fall"):
        webhook.rest.create(path, profile)
    made = webhook.rest.create(path, {**profile, "spec": {**spec, "serviceTime": times(0.1, 0.2)}})
    assert made["spec"]["workers"] == 1
    with pytest.raises(Refused, match="make another one"):
        webhook.rest.patch(f"{path}/net", {"spec": {"model": "other"}})


def test_a_plan_may_only_name_what_there_is(webhook: Cluster, space: str) -> None:
    named = {"apiVersion": "knative-barista.dev/v1alpha1", "kind": "ScalingPlan", "metadata": {"name": "a"}}
    with pytest.raises(Refused, match="forecaster 'crystal-ball'"):
        webhook.rest.create(
            f"{OURS}/namespaces/{space}/scalingplans", {**named, "spec": {"forecaster": "crystal-ball"}}
        )


def test_pods_start_while_the_webhook_is_away_and_it_comes_back(webhook: Cluster, space: str) -> None:
    create(webhook, space, *SLO)
    plan(webhook, space, "model", authority="floor", flavor="cpu-1", replicas=1)
    _scale(webhook, 0)
    until(lambda: not webhook.pods("barista-system"), "the webhook gone")
    replace_pods(webhook, space)
    pod = until(lambda: next(iter(pods(webhook, space)), None), "a ready pod without the webhook")
    assert FLAVOR not in pod["metadata"]["annotations"]
    _scale(webhook, 2)
    until_available(webhook, WEBHOOK)
    replace_pods(webhook, space)
    admitted(webhook, space, "cpu-1")


def test_a_pod_is_let_through_while_the_webhook_hangs(webhook: Cluster, space: str) -> None:
    create(webhook, space, *SLO)
    plan(webhook, space, "model", authority="floor", flavor="cpu-1", replicas=1)
    until(lambda: _planned_pod(webhook, space, "cpu-1"), "a pod as planned")
    hung = [process for process in psutil.process_iter() if _is_webhook(process)]
    assert len(hung) == 2
    try:
        for process in hung:
            process.suspend()
        assert _planned_pod(webhook, space, None)
    finally:
        for process in hung:
            process.resume()
    until(lambda: _planned_pod(webhook, space, "cpu-1"), "a pod as planned again")


def test_its_role_is_all_that_it_needs_and_no_more(webhook: Cluster) -> None:
    who = f"system:serviceaccount:barista-system:{WEBHOOK}"
    events = [e for e in webhook.audit() if e["user"]["username"] == who and e["stage"] == "ResponseComplete"]
    refused = [e for e in events if e["responseStatus"]["code"] in (401, 403)]
    assert [e["requestURI"] for e in refused] == []
    used = {(e["verb"], e["objectRef"]["resource"]) for e in events if "objectRef" in e}
    roles = [o for o in rendered("cpu-profiles") if o["kind"] in ("Role", "ClusterRole")]
    rules = [rule for o in roles if o["metadata"]["name"] == WEBHOOK for rule in o["rules"]]
    assert used == {(verb, res) for rule in rules for verb in rule["verbs"] for res in rule["resources"]}


def test_the_rendered_manifests_pass_strict_validation(webhook: Cluster, tmp_path: Path) -> None:
    install(webhook, monitor_definitions(tmp_path))
    for overlay in ("cpu-profiles", "gpu", "kind", "prometheus"):
        for obj in rendered(overlay):
            path = f"{path_of(obj)}?fieldManager=check&force=true&dryRun=All&fieldValidation=Strict"
            webhook.rest.ask("PATCH", path, obj, APPLY)


def test_it_goes_on_after_the_api_server_was_away(webhook: Cluster, space: str) -> None:
    # Last: an API server that has just begun refuses what its roles allow, until it knows them.
    create(webhook, space, *SLO)
    plan(webhook, space, "model", authority="floor", flavor="cpu-1", replicas=1)
    webhook.restart("apiserver")
    replace_pods(webhook, space)
    admitted(webhook, space, "cpu-1")
    plan(webhook, space, "model", authority="floor", flavor="cpu-2", replicas=1)
    until(lambda: _planned_pod(webhook, space, "cpu-2"), "a pod as planned since")


def _planned_pod(cluster: Cluster, space: str, flavor: str | None) -> bool:
    """Whether a pod that starts now has `flavor`: judged by a pod that is never made."""
    (old, *_) = pods(cluster, space)
    metadata = {"name": "asked", "labels": old["metadata"]["labels"]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": old["spec"]}
    asked = cluster.rest.create(f"/api/v1/namespaces/{space}/pods?dryRun=All", body)
    return bool((asked["metadata"].get("annotations") or {}).get(FLAVOR) == flavor)


def _is_webhook(process: psutil.Process) -> bool:
    """Whether it is the webhook's program in a pod, and not what looks after it from outside."""
    try:
        return process.cmdline()[1:4] == ["-m", "barista", "webhook"]
    except psutil.NoSuchProcess:
        return False


def _scale(cluster: Cluster, replicas: int) -> None:
    cluster.rest.patch(f"{DEPLOYMENTS}/{WEBHOOK}/scale", {"spec": {"replicas": replicas}})


def _bounds(obj: Object) -> tuple[str | None, str | None]:
    annotations = obj["metadata"]["annotations"]
    least, most = (annotations.get(f"autoscaling.knative.dev/{end}-scale") for end in ("min", "max"))
    return least, most


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
