"""The parts of the stand-ins that can be told right from wrong without a cluster."""

from pathlib import Path

import pytest

from tests.cluster.kubelet import images, quantities
from tests.cluster.kubelet.config import NodeShape
from tests.cluster.kubelet.images import Image, NoSuchImage
from tests.cluster.kubelet.node import GPU, Node
from tests.cluster.network.directory import Directory
from tests.cluster.network.names import Names
from tests.cluster.rest import Object, path_of


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("250m", 0.25), ("2", 2.0), (2, 2.0), ("1Gi", 2.0**30), ("64Mi", 2.0**26), ("1.5", 1.5), ("3k", 3000.0)],
)
def test_a_quantity_is_a_number(quantity: str | float, value: float) -> None:
    assert quantities.number(quantity) == pytest.approx(value)


def test_a_pod_asks_for_the_sum_of_its_containers_and_for_limits_where_it_sets_no_requests() -> None:
    containers = [
        {"resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2", GPU: "1"}}},
        {"resources": {"limits": {"cpu": "250m", "memory": "1Gi"}}},
        {},
    ]

    assert quantities.requests({"spec": {"containers": containers}}) == {
        "cpu": 0.75,
        "memory": 2.0**30,
        GPU: 1.0,
    }


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ["serve", "all"]),
        ({"args": ["one"]}, ["serve", "one"]),
        ({"command": ["other"]}, ["other"]),
        ({"command": ["other"], "args": ["$(NAME)", "$(UNKNOWN)"]}, ["other", "x", "$(UNKNOWN)"]),
    ],
)
def test_command_and_args_override_the_images_as_kubernetes_has_it(
    container: Object, argv: list[str]
) -> None:
    assert images.command(Image(["serve"], ["all"]), container, {"NAME": "x"}) == argv


def test_an_image_is_found_by_its_name_without_tag_or_digest(tmp_path: Path) -> None:
    table = tmp_path / "images.json"
    images.write(table, {"dev.local/stub": Image(["stub"])})

    for reference in ("dev.local/stub", "dev.local/stub:latest", "dev.local/stub@sha256:abc"):
        assert images.find(table, reference).entrypoint == ["stub"]
    with pytest.raises(NoSuchImage, match=r"dev\.local/other.*known: dev\.local/stub"):
        images.find(table, "dev.local/other")


def test_a_node_gives_what_it_has_once() -> None:
    node = Node(NodeShape("n", cpu=4, memory_gib=1, gpus=1), "10.0.0.1")

    assert node.claim("a", {"cpu": 3.0, GPU: 1.0}) is None
    assert node.claim("b", {"cpu": 2.0}) == "cpu"
    assert node.claim("b", {"cpu": 1.0, GPU: 1.0}) == GPU
    assert node.claim("a", {"cpu": 4.0}) is None, "a pod's own claim makes room for its next"
    node.release("a")
    assert node.claim("b", {"cpu": 4.0, GPU: 1.0}) is None
    assert not node.fits_ever({"cpu": 5.0})


def test_names_lead_to_cluster_ips_endpoints_and_external_names() -> None:
    directory = Directory()
    directory.services = {
        ("ns", "plain"): {"spec": {"clusterIP": "10.160.0.7"}},
        ("ns", "alias"): {"spec": {"type": "ExternalName", "externalName": "plain.ns.svc.cluster.local"}},
        ("ns", "loop"): {"spec": {"type": "ExternalName", "externalName": "loop.ns.svc.cluster.local"}},
    }
    names = Names(directory, "cluster.local", {"ingress.thin.internal": "10.200.0.1"})

    assert names.look_up("plain.ns.svc.cluster.local.") == ["10.160.0.7"]
    assert names.look_up("alias.ns.svc.cluster.local") == ["10.160.0.7"]
    assert names.look_up("ingress.thin.internal") == ["10.200.0.1"]
    assert names.look_up("loop.ns.svc.cluster.local") is None
    assert names.look_up("other.ns.svc.cluster.local") is None
    assert names.look_up("example.com") is None


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("v1", "Namespace", "/api/v1/namespaces/x"),
        ("v1", "Endpoints", "/api/v1/namespaces/n/endpoints/x"),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/x",
        ),
        ("serving.knative.dev/v1", "Service", "/apis/serving.knative.dev/v1/namespaces/n/services/x"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
    ],
)
def test_an_objects_path_follows_from_its_kind(version: str, kind: str, path: str) -> None:
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "n"}}

    assert path_of(item) == path
