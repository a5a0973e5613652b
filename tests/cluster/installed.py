"""Barista installed in a cluster from its own manifests, as an operator installs it."""

import json
import subprocess
from pathlib import Path

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.rest import Object, until

ROOT = Path(__file__).parents[2]
SYSTEM = "/api/v1/namespaces/barista-system"
DEPLOYMENTS = "/apis/apps/v1/namespaces/barista-system/deployments"
HOOKS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations/barista-webhook"
WEBHOOK = "barista-webhook"
FIRST = ("Namespace", "CustomResourceDefinition")
MONITORS = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
"""The Go module whose files define PodMonitor and ServiceMonitor."""


def rendered(overlay: str) -> list[Object]:
    """The objects of an overlay, as `make release` renders them."""
    run = subprocess.run(["scripts/release", overlay], cwd=ROOT, capture_output=True, text=True, check=True)
    return [obj for obj in yaml.safe_load_all((ROOT / run.stdout.strip()).read_text()) if obj]


def install(cluster: Cluster, objects: list[Object]) -> None:
    """Apply `objects`, definitions first, and wait until their Deployments are available."""
    for obj in sorted(objects, key=lambda obj: obj["kind"] not in FIRST):
        cluster.rest.apply(obj)
        if obj["kind"] == "CustomResourceDefinition":
            _until_served(cluster, obj)
    for obj in objects:
        if obj["kind"] == "Deployment":
            until_available(cluster, obj["metadata"]["name"])


def monitor_definitions(elsewhere: Path) -> list[Object]:
    """The definitions of PodMonitor and ServiceMonitor. `elsewhere` is a folder that is no Go module."""
    command = ["go", "mod", "download", "-json", MONITORS]
    run = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=True)
    folder = Path(json.loads(run.stdout)["Dir"]) / "example/prometheus-operator-crd"
    files = (folder / f"monitoring.coreos.com_{kind}.yaml" for kind in ("podmonitors", "servicemonitors"))
    return [yaml.safe_load(file.read_text()) for file in files]


def until_available(cluster: Cluster, deployment: str) -> None:
    """Wait until all replicas of a Deployment of Barista's are available."""

    def available() -> bool:
        found = cluster.rest.get(f"{DEPLOYMENTS}/{deployment}")
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        return bool(seen and status.get("availableReplicas", 0) == wanted == status.get("replicas", 0))

    until(available, f"{deployment} available", 120)


def _until_served(cluster: Cluster, definition: Object) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"

    def served() -> bool:
        conditions = cluster.rest.get(path).get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    until(served, f"{definition['metadata']['name']} served")
