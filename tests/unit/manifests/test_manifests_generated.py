"""What is generated is what is committed, and the examples are what the models read."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from barista.cli.main import app
from barista.platforms.knative.annotations import ANNOTATIONS, read_choices
from barista.platforms.knative.crds import KINDS, structural
from barista.platforms.knative.resources import ExecutionProfileResource
from barista.platforms.knative.schema import Resource
from barista.profile.store import write_profiles
from barista.values.profile import Distribution, ExecutionProfile, Fit, Interval

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("command", "file"), [("crds", "manifests/base/crds.yaml"), ("reference", "docs/reference.md")]
)
def test_what_is_committed_is_what_the_command_prints(command: str, file: str) -> None:
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 0
    assert (ROOT / file).read_text() == result.stdout, f"barista {command} > {file}"


def schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas inside `schema`, itself included."""
    yield schema
    for part in (
        *schema.get("properties", {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ):
        if isinstance(part, dict):
            yield from schemas(part)


@pytest.mark.parametrize("resource", [kind.resource for kind in KINDS])
def test_schemas_are_structural(resource: type[Resource]) -> None:
    for schema in schemas(structural(resource)):
        assert schema.get("type") or schema.get("x-kubernetes-int-or-string"), schema
        assert not {"$ref", "$defs", "title", "allOf", "oneOf"} & set(schema)
        assert "anyOf" not in schema or schema.get("x-kubernetes-int-or-string")


def shipped() -> Iterator[dict[str, Any]]:
    for file in sorted((ROOT / "manifests/components").glob("*/flavors.yaml")):
        yield from yaml.safe_load_all(file.read_text())


@pytest.mark.parametrize("obj", list(shipped()), ids=lambda obj: obj["metadata"]["name"])
def test_shipped_flavors_are_flavors(obj: dict[str, Any]) -> None:
    (resource,) = (kind.resource for kind in KINDS if kind.resource.kind_name == obj["kind"])
    resource.read(obj)
    configured = yaml.safe_load((ROOT / "manifests/base/barista.yaml").read_text())
    assert obj["spec"]["pool"] in configured["pools"]
    # Draft 4 is what has Kubernetes' exclusive bounds.
    jsonschema.Draft4Validator(structural(resource)).validate(obj)


def test_measured_profiles_become_resources_of_the_cluster_and_lose_nothing(tmp_path: Path) -> None:
    times = Distribution((0.5, 0.95), (0.01, 0.02), 0.012)
    measured = ExecutionProfile(
        model="digits",
        flavor="cpu-2",
        service_time=times,
        setup_time=times,
        memory_gib=0.5,
        workers=2,
        requests=100,
        by_concurrency=((1, Distribution((0.5, 0.95), (0.008, 0.01), 0.009)), (2, times)),
        intervals=(Interval(0.95, 0.018, 0.023),),
        fit=Fit("shifted log-normal", (("sigma", 0.4), ("fixed_s", 0.005), ("mu", -5.0)), 0.04, 0.3),
        saturation_rps=150.0,
        dispersion=0.2,
        ahead_s=0.003,
    )
    said = [getattr(measured, field.name) != field.default for field in fields(measured)]
    assert all(said), "a field of ExecutionProfile is not tried here"
    write_profiles(tmp_path / "profiles.yaml", [measured])
    result = CliRunner().invoke(app, ["profile-resources", str(tmp_path / "profiles.yaml"), "-n", "models"])
    assert result.exit_code == 0
    (document,) = yaml.safe_load_all(result.stdout)
    assert document["metadata"] == {"name": "digits-cpu-2", "namespace": "models"}
    schema = structural(ExecutionProfileResource)
    jsonschema.Draft4Validator(schema).validate(document)
    # The API server drops what the schema does not know.
    assert document["spec"].keys() <= schema["properties"]["spec"]["properties"].keys()
    assert ExecutionProfileResource.read(document).profile() == measured


def test_a_profile_whose_name_the_cluster_does_not_take_is_told_so(tmp_path: Path) -> None:
    times = Distribution.constant(0.01)
    write_profiles(tmp_path / "profiles.yaml", [ExecutionProfile("My Model", "cpu-1", times, times)])
    result = CliRunner().invoke(app, ["profile-resources", str(tmp_path / "profiles.yaml")])
    assert result.exit_code == 2
    assert "profiles.yaml: model: String should match pattern" in result.stderr


def test_examples_of_annotations_can_be_read() -> None:
    said = read_choices({key: annotation.example for key, annotation in ANNOTATIONS.items()}, "default/a")
    assert set(said.given()) == {annotation.field for annotation in ANNOTATIONS.values()}
