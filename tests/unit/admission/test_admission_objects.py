"""Admission, as a truth table: what becomes of services, Revisions, pods and our own resources."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from barista.platforms.knative.admission import (
    DELETION_COST,
    UNCHANGED,
    Orders,
    Verdict,
    judge_resource,
    judge_service,
    mutate_pod,
    mutate_revision,
    orders_for,
    service_of,
)
from barista.platforms.knative.annotations import Known
from barista.platforms.knative.pods import qos_class
from barista.platforms.knative.resources import ExecutionProfileResource, FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.service import Authority

Json = dict[str, Any]

KNOWN = Known(frozenset({"cpu-2", "gpu"}), frozenset({"ensemble"}), frozenset({"auto"}))
SLO = "knative-barista.dev/latency-slo"
MIN, MAX = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"

CPU = FlavorResource.of(Flavor("cpu-2", "cpu", cpu=2, memory_gib=4, cost_per_hour=0.1))
GPU = FlavorResource.read(
    {
        "kind": "Flavor",
        "metadata": {"name": "gpu"},
        "spec": {
            "pool": "gpu",
            "cpu": 4,
            "memory": "16Gi",
            "gpu": 1,
            "costPerHour": 1,
            "nodeSelector": {"accelerator": "l4"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
    }
)


def service(**annotations: str) -> Json:
    named = {f"knative-barista.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {"metadata": {"namespace": "default", "name": "resnet", "annotations": named}}


def revision(annotations: dict[str, str] | None) -> Json:
    return {"metadata": {"name": "resnet-00001", "annotations": annotations}}


def pod(resources: Json | None = None, proxy: Json | None = None) -> Json:
    return {
        "metadata": {"annotations": {"user": "own"}, "labels": {"serving.knative.dev/service": "resnet"}},
        "spec": {
            "containers": [
                {"name": "user-container", "ports": [{"containerPort": 8080}], "resources": resources or {}},
                {"name": "queue-proxy", "ports": [{"containerPort": 8012}], "resources": proxy or {}},
            ]
        },
    }


def patched(obj: Json, verdict: Verdict) -> Json:
    """`obj` after the patch of `verdict`, by the rules of RFC 6902 for what is used of them."""
    result = copy.deepcopy(obj)
    for op in verdict.patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
        place = result
        for part in way:
            place = place[part]
        assert op["op"] == "add" or last in place
        place[last] = op["value"]
    return result


@pytest.mark.parametrize(
    ("after", "before", "verdict"),
    [
        (service(latency_slo="250ms"), None, "stored"),
        (service(latency_slo="25x"), None, "refused"),
        (service(latency_slo="250ms", flavors="gpu-l4"), None, "refused"),
        (service(latency_slo="25x"), service(latency_slo="25x"), "stored"),
        (service(latency_slo="25x"), service(latency_slo="250ms"), "refused"),
        (service(authority="pin"), None, "warned"),
        (service(), None, "stored"),
        ({"metadata": {"name": "a"}}, None, "stored"),
    ],
)
def test_a_service_is_refused_only_for_a_new_mistake(after: Json, before: Json | None, verdict: str) -> None:
    judged = judge_service(after, before, KNOWN)
    assert judged.patch == ()
    found = "refused" if judged.faults else "warned" if judged.warnings else "stored"
    assert found == verdict


def test_a_refusal_names_the_annotation_the_service_and_the_mend() -> None:
    (fault,) = judge_service(service(latency_slo="25x"), None, KNOWN).faults
    assert fault == (
        "annotation knative-barista.dev/latency-slo of default/resnet: '25x':"
        " need a duration like 250ms or 1.5s"
    )


@pytest.mark.parametrize(
    ("there", "orders", "written"),
    [
        ({MIN: "1", MAX: "9"}, Orders(Authority.FLOOR, 4), {MIN: "4", MAX: "9"}),
        ({MIN: "1", MAX: "9"}, Orders(Authority.PIN, 4), {MIN: "4", MAX: "4"}),
        ({MAX: "3"}, Orders(Authority.FLOOR, 4), {MIN: "3", MAX: "3"}),
        (None, Orders(Authority.FLOOR, 4), {MIN: "4"}),
        ({MIN: "1"}, Orders(Authority.ADVISE, 4), {MIN: "1"}),
        ({MIN: "1"}, Orders(Authority.PIN, None), {MIN: "1"}),
        ({MIN: "one"}, Orders(Authority.PIN, 4), {MIN: "one"}),
    ],
)
def test_a_revision_is_born_with_the_planned_bounds(
    there: dict[str, str] | None, orders: Orders, written: dict[str, str]
) -> None:
    born = revision(there)
    assert patched(born, mutate_revision(born, orders))["metadata"]["annotations"] == written


def test_a_revision_that_has_the_planned_bounds_is_not_patched() -> None:
    assert mutate_revision(revision({MIN: "4", MAX: "9"}), Orders(Authority.FLOOR, 4)) == UNCHANGED


def test_a_pod_gets_the_resources_nodes_and_name_of_its_flavor_and_the_proxy_keeps_its_own() -> None:
    proxy = {"requests": {"cpu": "25m"}}
    born = pod({"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}, proxy)
    after = patched(born, mutate_pod(born, Orders(Authority.PIN, 1, GPU)))
    user, queue_proxy = after["spec"]["containers"]
    assert user["resources"] == {
        "requests": {"cpu": "4", "memory": "16Gi"},
        "limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
    }
    assert queue_proxy["resources"] == proxy
    assert after["spec"]["nodeSelector"] == {"accelerator": "l4"}
    assert after["spec"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert after["metadata"]["annotations"] == {"user": "own", "knative-barista.dev/flavor": "gpu"}


def test_pods_of_an_earlier_turn_are_cheaper_to_delete_unless_the_template_says_otherwise() -> None:
    def cost(born: Json, turn: int) -> str | None:
        after = patched(born, mutate_pod(born, Orders(Authority.FLOOR, 1, CPU, turn)))
        said: str | None = after["metadata"]["annotations"].get(DELETION_COST)
        return said

    own = pod()
    own["metadata"]["annotations"] = {DELETION_COST: "7"}
    assert [cost(pod(), turn) for turn in (0, 1, 2)] == [None, "1", "2"]
    assert cost(own, 2) == "7"


def test_a_cpu_flavor_gives_the_gpu_of_the_template_back() -> None:
    born = pod({"limits": {"cpu": "8", "nvidia.com/gpu": "1"}})
    after = patched(born, mutate_pod(born, Orders(Authority.FLOOR, 1, CPU)))
    assert after["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "2"}


def test_what_the_template_asks_of_nodes_is_kept() -> None:
    born = pod()
    there = {"key": "team", "operator": "Exists"}
    born["spec"] |= {"nodeSelector": {"zone": "a"}, "tolerations": [there]}
    after = patched(born, mutate_pod(born, Orders(Authority.FLOOR, 1, GPU)))["spec"]
    assert after["nodeSelector"] == {"zone": "a", "accelerator": "l4"}
    assert after["tolerations"][0] == there
    assert len(after["tolerations"]) == 2


FULL = {"cpu": "1", "memory": "1Gi"}
HALF = {"cpu": "500m", "memory": "512Mi"}


@pytest.mark.parametrize("proxy", [{"requests": {"cpu": "25m"}}, {"requests": HALF, "limits": HALF}])
@pytest.mark.parametrize(
    "resources",
    [
        {"requests": FULL, "limits": FULL},
        {"limits": FULL},
        {"requests": FULL},
        {"requests": HALF, "limits": FULL},
        {"limits": {"cpu": "1"}},
        {},
    ],
)
def test_a_flavor_keeps_the_class_of_service_of_the_template(resources: Json, proxy: Json) -> None:
    born = pod(resources, proxy)
    after = patched(born, mutate_pod(born, Orders(Authority.PIN, 1, CPU)))
    assert qos_class(after["spec"]["containers"]) == qos_class(born["spec"]["containers"])
    requests = after["spec"]["containers"][0]["resources"]["requests"]
    assert (requests["cpu"], requests["memory"]) == ("2", "4Gi")


@pytest.mark.parametrize(
    ("containers", "orders"),
    [
        ([{"name": "a"}], Orders(Authority.ADVISE, 1, CPU)),
        ([{"name": "a"}], Orders(Authority.PIN, 1, None)),
        ([{"name": "queue-proxy"}], Orders(Authority.PIN, 1, CPU)),
        ([{"name": "a"}, {"name": "b"}], Orders(Authority.PIN, 1, CPU)),
        ([{"name": "a", "resources": {"limits": {"cpu": "much"}}}], Orders(Authority.PIN, 1, CPU)),
    ],
)
def test_a_pod_that_is_not_ours_or_not_understood_starts_as_it_is(
    containers: list[Json], orders: Orders
) -> None:
    assert mutate_pod({"metadata": {}, "spec": {"containers": containers}}, orders) == UNCHANGED


def test_of_several_containers_the_one_with_a_port_gets_the_flavor() -> None:
    born = pod()
    born["spec"]["containers"].insert(0, {"name": "sidecar"})
    after = patched(born, mutate_pod(born, Orders(Authority.PIN, 1, CPU)))
    assert "resources" not in after["spec"]["containers"][0]
    assert after["spec"]["containers"][1]["resources"]["requests"]["cpu"] == "2"


@pytest.mark.parametrize(
    ("said", "planned_under", "authority"),
    [
        ({SLO: "1s"}, "floor", Authority.FLOOR),
        ({SLO: "1s", "knative-barista.dev/authority": "pin"}, "floor", Authority.PIN),
        ({SLO: "1s", "knative-barista.dev/authority": "advise"}, "pin", Authority.ADVISE),
        ({SLO: "1s", "knative-barista.dev/authority": "pin"}, "advise", Authority.ADVISE),
        ({SLO: "1s", "knative-barista.dev/authority": "pin"}, None, Authority.ADVISE),
        ({SLO: "1s", "knative-barista.dev/authority": "rule"}, "pin", Authority.ADVISE),
    ],
)
def test_advice_stays_advice_and_a_withdrawn_authority_ends_at_once(
    said: Mapping[str, str], planned_under: str | None, authority: Authority
) -> None:
    plan = ScalingPlanResource.read(
        {"metadata": {"namespace": "default", "name": "a"}, "status": {"authority": planned_under}}
    )
    assert orders_for(said, plan, None).authority is authority


def test_the_service_of_an_object_stands_in_its_label() -> None:
    assert service_of(pod(), "default") == "default/resnet"
    assert service_of({"metadata": {}}, "default") is None


def profile(seconds: tuple[float, float]) -> Json:
    times = Distribution((0.5, 0.95), (0.01, 0.02), 0.01)
    made = ExecutionProfileResource.of(
        ExecutionProfile("resnet", "cpu-2", times, times), "default"
    ).document()
    made["spec"]["serviceTime"]["quantiles"] = [
        {"level": level, "seconds": s} for level, s in zip((0.5, 0.95), seconds, strict=True)
    ]
    return made


def plan_document(**spec: object) -> Json:
    return {"kind": "ScalingPlan", "metadata": {"namespace": "default", "name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("obj", "fault"),
    [
        (CPU.document(), ""),
        (GPU.document(), ""),
        (profile((0.01, 0.02)), ""),
        (
            profile((0.02, 0.01)),
            "ExecutionProfile default/resnet-cpu-2: distribution: values_s must",
        ),
        (plan_document(latencySlo="250ms", flavors=["cpu-2"]), ""),
        (plan_document(latencySlo="soon"), "ScalingPlan default/a: spec.latencySlo: "),
        (plan_document(flavors=["gpu-l4"]), "flavor 'gpu-l4' in "),
        ({"kind": "Flavor", "metadata": {"name": "x"}, "spec": {"pool": "p"}}, "Flavor x: spec.cpu: "),
        ({"kind": "Other"}, ""),
    ],
)
def test_our_resources_are_refused_when_they_make_no_sense(obj: Json, fault: str) -> None:
    faults = judge_resource(obj, None, KNOWN).faults
    assert "; ".join(faults).startswith(fault) if fault else faults == ()


def test_a_resource_whose_spec_stays_is_not_refused() -> None:
    obj = plan_document(flavors=["gone"])
    assert judge_resource(obj, copy.deepcopy(obj), KNOWN) == UNCHANGED
