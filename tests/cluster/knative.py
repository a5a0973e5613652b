"""Knative Serving as its release installs it, from the files of its Go module.

Nothing is copied into this repository: CRDs, roles, configuration, Deployments and webhooks are read where
Go keeps them, image names replaced by names that the process kubelet knows. The files that the module holds
as links come from the modules that they lead to. Left out are the autoscalers of Knative's own Deployments
(there is no metrics server) and their cpu limits (a few cores are shared by everything here, and a quota
would only slow the whole).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tests.cluster import build
from tests.cluster.network.ingress import CLASS
from tests.cluster.rest import Object, Rest, path_of, until

NAMESPACE = "knative-serving"
DEPLOYMENTS = ("controller", "webhook", "autoscaler", "activator")
IMAGES = "dev.local/knative"
CONFIGURATION: Mapping[str, Mapping[str, str]] = {
    "config-network": {"ingress-class": CLASS},
    "config-domain": {"example.com": ""},
    "config-autoscaler": {"allow-zero-initial-scale": "true", "scale-to-zero-grace-period": "6s"},
    "config-observability": {"metrics-protocol": "prometheus", "request-metrics-protocol": "prometheus"},
    "config-features": {
        "kubernetes.podspec-nodeselector": "enabled",
        "kubernetes.podspec-tolerations": "enabled",
    },
}
"""What differs from the defaults: ingress, quicker scaling to zero, metrics, GPU nodes can be asked for."""


def version() -> str:
    """The release: module v0.N is release 1.(N - 27)."""
    _, minor, patch = build.module_version("serving").split(".")
    return f"1.{int(minor) - 27}.{patch}"


def install(rest: Rest) -> None:
    """Apply everything in the order in which it depends on each other; Deployments may still be starting."""
    resources = list(_custom_resources())
    for item in resources:
        rest.apply(item)
    until(lambda: all(_established(rest, item) for item in resources), "Knative's CRDs")
    later = []
    for item in _core():
        if item["kind"] in {"Image", "Certificate"} or "Webhook" in item["kind"]:
            later.append(item)
        else:
            rest.apply(item)
    for item in later:
        rest.apply(item)


def ready(rest: Rest) -> bool:
    """Whether the four Deployments are available and the webhooks have their certificates."""
    deployments = rest.items(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
    available = {
        one["metadata"]["name"] for one in deployments if one["status"].get("availableReplicas", 0) >= 1
    }
    if not available.issuperset(DEPLOYMENTS):
        return False
    root = "/apis/admissionregistration.k8s.io/v1"
    return all(
        hook["clientConfig"].get("caBundle")
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
        for one in rest.items(f"{root}/{kind}")
        if "knative.dev" in one["metadata"]["name"]
        for hook in one.get("webhooks") or []
    )


def _custom_resources() -> Iterator[Object]:
    networking, caching = (
        build.module_directory("serving", f"knative.dev/{name}") / "config"
        for name in ("networking", "caching")
    )
    core = build.module_directory("serving", "knative.dev/serving") / "config" / "core" / "300-resources"
    paths = [
        *sorted(core.glob("*.yaml")),
        *sorted(networking.glob("*.yaml")),
        *sorted(caching.glob("*.yaml")),
    ]
    for item in _objects(paths):
        if item["kind"] == "CustomResourceDefinition":
            yield item


def _core() -> Iterator[Object]:
    core = build.module_directory("serving", "knative.dev/serving") / "config" / "core"
    network = build.module_directory("serving", "knative.dev/networking") / "config" / "config-network.yaml"
    paths = [path for path in sorted(core.rglob("*.yaml")) if path.parent.name != "300-resources"]
    for item in _objects([*paths[:1], network, *paths[1:]]):
        if item["kind"] == "HorizontalPodAutoscaler":
            continue
        if item["kind"] == "Deployment":
            for container in item["spec"]["template"]["spec"]["containers"]:
                del container["resources"]["limits"]["cpu"]
        if changes := CONFIGURATION.get(item["metadata"]["name"]):
            item.setdefault("data", {}).update(changes)
        yield item


def _objects(paths: list[Path]) -> Iterator[Object]:
    for path in paths:
        text = path.read_text().replace("ko://knative.dev/serving/cmd", IMAGES)
        text = text.replace("app.kubernetes.io/version: devel", f'app.kubernetes.io/version: "{version()}"')
        yield from (item for item in yaml.safe_load_all(text) if item)


def _established(rest: Rest, item: Object) -> bool:
    conditions = (rest.get(path_of(item)).get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
