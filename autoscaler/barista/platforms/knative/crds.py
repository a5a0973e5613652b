"""CustomResourceDefinitions, generated from the models of our resources.

Kubernetes wants structural schemas: no references, nullable types written out, no titles. The
models know all the rest: bounds, patterns, descriptions and CEL rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barista.platforms.knative.annotations import GROUP
from barista.platforms.knative.resources import ExecutionProfileResource, FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.platforms.knative.schema import VERSION, Resource

Document = dict[str, Any]
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``; `priority` 1 is shown only with ``-o wide``."""

    name: str
    type: str
    path: str
    priority: int = 0

    def document(self) -> Document:
        """As the definition has it."""
        return {"name": self.name, "type": self.type, "jsonPath": self.path, "priority": self.priority}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a definition says beside the schema."""

    resource: type[Resource]
    scope: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]


AGE = Column("Age", "date", ".metadata.creationTimestamp")

KINDS = (
    Kind(
        FlavorResource,
        "Cluster",
        ("flv",),
        (
            Column("Pool", "string", ".spec.pool"),
            Column("CPU", "string", ".spec.cpu"),
            Column("Memory", "string", ".spec.memory"),
            Column("GPU", "integer", ".spec.gpu"),
            Column("Cost/h", "number", ".spec.costPerHour"),
            Column("Family", "string", ".spec.family", 1),
            AGE,
        ),
    ),
    Kind(
        ExecutionProfileResource,
        "Namespaced",
        ("xprof",),
        (
            Column("Model", "string", ".spec.model"),
            Column("Flavor", "string", ".spec.flavor"),
            Column("Mean s", "number", ".spec.serviceTime.meanSeconds"),
            Column("Set-up s", "number", ".spec.setupTime.meanSeconds"),
            Column("Workers", "integer", ".spec.workers", 1),
            Column("Keeps up rps", "number", ".spec.saturationRps", 1),
            AGE,
        ),
    ),
    Kind(
        ScalingPlanResource,
        "Namespaced",
        ("splan",),
        (
            Column("Authority", "string", ".status.authority"),
            Column("Flavor", "string", ".status.flavor"),
            Column("Replicas", "integer", ".status.replicas"),
            Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
            Column("Forecast", "string", ".status.forecast.madeBy", 1),
            Column("Paused", "boolean", ".spec.paused", 1),
            AGE,
        ),
    ),
)


def definitions() -> tuple[Document, ...]:
    """The CustomResourceDefinitions of all our kinds."""
    return tuple(_definition(kind) for kind in KINDS)


def _definition(kind: Kind) -> Document:
    resource = kind.resource
    has_status = "status" in resource.model_fields
    version: Document = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": structural(resource)},
        "additionalPrinterColumns": [column.document() for column in kind.columns],
    }
    if has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "barista"},
        },
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": {
                "kind": resource.kind_name,
                "listKind": f"{resource.kind_name}List",
                "plural": resource.plural,
                "singular": resource.kind_name.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["barista"],
            },
            "versions": [version],
        },
    }


def structural(resource: type[Resource]) -> Document:
    """The structural schema of `resource`: its spec and status; the API server knows its metadata."""
    whole = resource.model_json_schema(by_alias=True, mode="validation")
    parts = whole.get("$defs", {})
    told = {name: _plain(part, parts) for name, part in whole["properties"].items() if name != "metadata"}
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **told,
    }
    return {
        "type": "object",
        "description": resource.__doc__,
        "properties": properties,
        "required": ["spec"],
    }


def _plain(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Document:
    """`schema` without references, nulls, titles and the defaults that say nothing."""
    resolved = _resolved(schema, parts)
    plain: Document = {}
    for key, value in resolved.items():
        if key == "properties":
            plain[key] = {name: _plain(part, parts) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            plain[key] = _plain(value, parts)
        elif key == "exclusiveMinimum":
            plain |= {"minimum": value, "exclusiveMinimum": True}
        elif key == "exclusiveMaximum":
            plain |= {"maximum": value, "exclusiveMaximum": True}
        elif key == "description":
            plain[key] = " ".join(str(value).split())
        elif key == "title" or (key == "default" and (not isinstance(value, Scalar) or value == "")):
            continue
        else:
            plain[key] = value
    return plain


def _resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Document:
    """`schema` with what it refers to, and the one type of a field that may be left out, in its place."""
    said = dict(schema)
    options = [option for option in said.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) < len(said.get("anyOf", ())):
        said.pop("anyOf")
        (option,) = options
        return _resolved({**option, **said}, parts)
    if "$ref" in said:
        name = said.pop("$ref").removeprefix("#/$defs/")
        return _resolved({**parts[name], **said}, parts)
    return said
