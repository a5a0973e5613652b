"""What our resources are made of: models that read as values here and as schemas in the cluster.

A model's fields are Python's names; the cluster sees them in camel case. Fields that we do not know
are passed over, as the API server does: a newer version's object must not stop an older reader.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from barista.platforms.knative.annotations import DURATION_PATTERN, GROUP, NAME_PATTERN
from barista.platforms.knative.quantities import QUANTITY_PATTERN
from barista.values.service import ServiceId, service_id

VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

RULES = "x-kubernetes-validations"
"""Where a schema holds its CEL rules, for the API server to check."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=253)]
Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN)]
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(pattern=QUANTITY_PATTERN),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    ),
]
"""A Kubernetes quantity, written with or without quotes."""


class ResourceError(Exception):
    """An object of the cluster does not have the shape of its kind; the message names it and the field."""


class Part(BaseModel):
    """A part of a resource."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def document(self) -> dict[str, Any]:
        """As JSON for the API server, without the fields that say nothing."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Metadata(Part):
    """What of an object's metadata is used here."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None


class Resource(Part):
    """An object of one of our kinds."""

    kind_name: ClassVar[str]
    plural: ClassVar[str]

    metadata: Metadata = Metadata()

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> Self:
        """The object as the API server gives it. ResourceError when it does not have this shape."""
        try:
            return cls.model_validate(obj)
        except ValidationError as error:
            raise ResourceError("; ".join(_faults(cls.kind_name, obj, error))) from error

    @property
    def id(self) -> ServiceId:
        """``namespace/name``; of a cluster-scoped object its name."""
        namespace, name = self.metadata.namespace, self.metadata.name
        return service_id(namespace, name) if namespace else ServiceId(name)

    def document(self) -> dict[str, Any]:
        """As JSON for the API server."""
        return {"apiVersion": API_VERSION, "kind": self.kind_name, **super().document()}


def rule(expression: str, message: str) -> JsonDict:
    """A CEL rule of the API server's: what must hold, and what it says when that does not."""
    return {"rule": expression, "message": message}


def _faults(kind: str, obj: Mapping[str, Any], error: ValidationError) -> Iterable[str]:
    metadata = obj.get("metadata") or {}
    name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        yield f"{kind} {name}: {where}: {fault['msg'].removeprefix('Value error, ')}"
