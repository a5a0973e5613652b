"""The manifests as they are applied: rendered by kustomize where there is one, and read with care."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from barista.settings import parse_settings
from barista.values.service import Authority

ROOT = Path(__file__).parents[3]
OVERLAYS = ("cpu-profiles", "gpu", "kind", "prometheus")
Objects = list[dict[str, Any]]


def base() -> Objects:
    """What the base lists, unrendered."""
    folder = ROOT / "manifests/base"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [obj for name in listed for obj in yaml.safe_load_all((folder / name).read_text())]


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [obj for obj in objects if obj["kind"] in kinds]


def rendered(overlay: str) -> Objects:
    if not (shutil.which("kubectl") or shutil.which("go")):
        pytest.skip("neither kubectl nor go is here to render manifests")
    run = subprocess.run(["scripts/release", overlay], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [obj for obj in yaml.safe_load_all((ROOT / run.stdout.strip()).read_text()) if obj]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_render_into_objects_of_known_places(overlay: str) -> None:
    objects = rendered(overlay)
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))
    clusterwide = ("Namespace", "CustomResourceDefinition", "Flavor")
    for obj in objects:
        if not (obj["kind"] in clusterwide or obj["kind"].startswith(("Cluster", "Mutating", "Validating"))):
            assert obj["metadata"]["namespace"] in ("barista-system", "knative-serving")
    accounts = {n[2] for n in names if n[0] == "ServiceAccount"}
    for workload in of_kind(objects, "Deployment"):
        assert workload["spec"]["template"]["spec"]["serviceAccountName"] in accounts
    (config,) = of_kind(objects, "ConfigMap")
    assert config["metadata"]["name"] == "barista-config"
    parse_settings(yaml.safe_load(config["data"]["barista.yaml"]), "barista.yaml")


def test_nothing_is_done_to_a_service_until_the_operator_says_so() -> None:
    document = yaml.safe_load((ROOT / "manifests/base/barista.yaml").read_text())
    assert parse_settings(document, "barista.yaml").defaults.authority is Authority.ADVISE


def test_a_webhook_that_is_away_stops_nothing() -> None:
    hooks = [h for c in of_kind(base(), *WEBHOOKS) for h in c["webhooks"]]
    assert len(hooks) == 4
    for hook in hooks:
        assert hook["failurePolicy"] == "Ignore"
        assert hook["timeoutSeconds"] == 2
        assert hook["sideEffects"] == "None"


WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def test_only_pods_and_revisions_of_services_are_asked_about_and_only_at_their_birth() -> None:
    (mutating,) = of_kind(base(), WEBHOOKS[0])
    for hook in mutating["webhooks"]:
        (rule,) = hook["rules"]
        assert rule["operations"] == ["CREATE"]
        keys = {e["key"] for e in hook["objectSelector"]["matchExpressions"] if e["operator"] == "Exists"}
        assert "serving.knative.dev/service" in keys


def test_roles_hold_no_wildcard_no_secret_but_their_own_and_no_write_that_is_not_told() -> None:
    writes: dict[str, set[tuple[str, str]]] = {}
    for role in of_kind(base(), "ClusterRole", "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            if "secrets" in rule["resources"]:
                assert rule["resourceNames"] == ["barista-webhook-certificates"]
            found = {
                (v, r) for v in rule["verbs"] for r in rule["resources"] if v not in ("get", "list", "watch")
            }
            writes.setdefault(role["metadata"]["name"], set()).update(found)
    assert writes["barista-webhook"] == {
        ("patch", "mutatingwebhookconfigurations"),
        ("patch", "validatingwebhookconfigurations"),
        ("update", "secrets"),
    }
    assert {r for _, r in writes["barista-controller"]} <= {
        "scalingplans",
        "scalingplans/status",
        "events",
        "revisions",
        "deployments/scale",
        "pods/resize",
        "leases",
    }


def test_workloads_keep_the_restricted_pod_security_standard() -> None:
    for workload in of_kind(base(), "Deployment"):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert "memory" in container["resources"]["limits"]


def test_services_and_budgets_select_the_workloads() -> None:
    objects = base()
    labels = [w["spec"]["template"]["metadata"]["labels"] for w in of_kind(objects, "Deployment")]
    for obj in of_kind(objects, "Service", "PodDisruptionBudget", "NetworkPolicy"):
        selector = obj["spec"].get("podSelector", obj["spec"].get("selector"))
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= there.items() for there in labels), obj["metadata"]["name"]


@pytest.mark.parametrize("file", ["autoscaler/Dockerfile", "knative/Dockerfile"])
def test_what_a_dockerfile_copies_is_there(file: str) -> None:
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            sources = re.sub(r"--\S+", "", line).split()[1:-1]
            for source in sources:
                assert source.startswith("${") or (ROOT / source).exists(), line


def test_the_images_of_skaffold_have_the_targets_that_its_profiles_name() -> None:
    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "autoscaler/Dockerfile").read_text(), re.M))
    assert [profile["name"] for profile in skaffold["profiles"]] == ["kind", "dev", "gpu"]
    for profile in skaffold["profiles"]:
        for patch in profile["patches"]:
            assert patch["value"]["docker"]["target"] in targets
        for path in profile["manifests"]["kustomize"]["paths"]:
            assert (ROOT / path / "kustomization.yaml").is_file()
