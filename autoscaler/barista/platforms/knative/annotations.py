"""Annotations: how an ML engineer tells Barista about a service, on the Knative Service itself.

``knative-barista.dev/latency-slo`` opts a service in; the other names refine it. They only ever name
things (flavors, plug-ins, a profile) that the operator has made: an annotation with a URL would let
any user steer the controller's requests. What they say becomes `Choices`, whose fields are those of
the operator's own defaults; a field that is None was left to whoever speaks next.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from barista.values.service import Authority

GROUP = "knative-barista.dev"
LATENCY_SLO = f"{GROUP}/latency-slo"
LATENCY_PERCENTILE = f"{GROUP}/latency-percentile"
FLAVORS = f"{GROUP}/flavors"
FORECASTER = f"{GROUP}/forecaster"
PLANNER = f"{GROUP}/planner"
AUTHORITY = f"{GROUP}/authority"
PROFILE = f"{GROUP}/profile"
PRIORITY = f"{GROUP}/priority"
PAUSED = f"{GROUP}/paused"

FLAVOR = f"{GROUP}/flavor"
"""On a pod, written at its admission: the flavor whose resources it was given."""

DURATION_PATTERN = r"^(\d+(\.\d+)?|\.\d+)(ms|s)$"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


class AnnotationError(Exception):
    """Annotations that cannot be followed; `faults` has one line for each, naming place and mend."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True)
class Choices:
    """What a service sets for itself; None where it says nothing.

    The percentile is in percent, as written. `profile` names the model whose execution profiles
    describe the service.
    """

    latency_slo_ms: float | None = None
    latency_percentile: float | None = None
    flavors: tuple[str, ...] | None = None
    forecaster: str | None = None
    planner: str | None = None
    authority: Authority | None = None
    profile: str | None = None
    priority: float | None = None
    paused: bool | None = None

    def over(self, others: "Choices") -> "Choices":
        """These choices, and those of `others` where these say nothing."""
        mine = self.given()
        return Choices(**{**others.given(), **mine})

    def given(self) -> dict[str, Any]:
        """The fields that say something, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Known:
    """The names that choices may use: what the operator has made or configured.

    None where that is not known now: then any name goes.
    """

    flavors: frozenset[str] | None
    forecasters: frozenset[str] | None
    planners: frozenset[str] | None


def opted_in(annotations: Mapping[str, str]) -> bool:
    """Whether a Knative Service with these annotations asked for Barista."""
    return LATENCY_SLO in annotations


def read_choices(annotations: Mapping[str, str], service: str) -> Choices:
    """What the annotations of the Knative Service `service` (``namespace/name``) say.

    AnnotationError when one cannot be understood, or has Barista's prefix and an unknown name.
    """
    said: dict[str, Any] = {}
    faults: list[str] = []
    for key, text in sorted(annotations.items()):
        if not key.startswith(f"{GROUP}/"):
            continue
        place = f"annotation {key} of {service}"
        annotation = ANNOTATIONS.get(key)
        if annotation is None:
            faults.append(f"{place}: no such annotation; known: {', '.join(sorted(ANNOTATIONS))}")
            continue
        try:
            said[annotation.field] = annotation.read(text)
        except ValueError as error:
            faults.append(f"{place}: {text!r}: {error}")
    if faults:
        raise AnnotationError(faults)
    return Choices(**said)


def check_names(choices: Choices, known: Known, service: str) -> None:
    """AnnotationError when `choices` of `service` name something that the operator does not have."""
    named = (
        ("flavor", FLAVORS, choices.flavors or (), known.flavors),
        ("forecaster", FORECASTER, filter(None, (choices.forecaster,)), known.forecasters),
        ("planner", PLANNER, filter(None, (choices.planner,)), known.planners),
    )
    faults = [
        f"{kind} {name!r} in annotation {key} of {service}: no such {kind};"
        f" known: {', '.join(sorted(there)) or 'none'}"
        for kind, key, names, there in named
        for name in names
        if there is not None and name not in there
    ]
    if faults:
        raise AnnotationError(faults)


def duration_ms(text: str) -> float:
    """Milliseconds of a duration like ``250ms`` or ``1.5s``; ValueError says what is needed."""
    match = re.fullmatch(DURATION_PATTERN, text.strip())
    value = float(match[1]) * (1000 if match[3] == "s" else 1) if match else 0.0
    if not value > 0:
        raise ValueError("need a duration like 250ms or 1.5s")
    return value


def _percentile(text: str) -> float:
    try:
        value = float(text.strip().removeprefix("p"))
    except ValueError:
        value = 0.0
    if not 1 <= value < 100:
        raise ValueError("need a percentile from 1 to below 100, like 95")
    return value


def _priority(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ValueError("need a number above 0, like 2")
    return value


def _names(text: str) -> tuple[str, ...]:
    names = tuple(_name(part) for part in text.split(","))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} given more than once: remove one")
    return names


def _name(text: str) -> str:
    name = text.strip()
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError("need a name of lower-case letters, digits, '-' and '.'")
    return name


def _authority(text: str) -> Authority:
    try:
        return Authority(text.strip())
    except ValueError:
        raise ValueError(f"need one of {', '.join(Authority)}") from None


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("need true or false")
    return text == "true"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation: the field of `Choices` that it sets, how it is read, and what it means to users."""

    field: str
    read: Callable[[str], Any]
    meaning: str
    example: str


ANNOTATIONS: Mapping[str, Annotation] = {
    LATENCY_SLO: Annotation(
        "latency_slo_ms", duration_ms, "Opts the service in: the latency that its requests keep.", "250ms"
    ),
    LATENCY_PERCENTILE: Annotation(
        "latency_percentile", _percentile, "The percentile that the latency holds for.", "95"
    ),
    FLAVORS: Annotation("flavors", _names, "The flavors that it may use.", "cpu-1,cpu-2"),
    AUTHORITY: Annotation(
        "authority",
        _authority,
        "How far Barista may go: `advise` says and writes nothing, `floor` moves the minimum of the scale,"
        " `pin` sets the scale.",
        "floor",
    ),
    PROFILE: Annotation(
        "profile",
        _name,
        "The model whose ExecutionProfiles describe it; default: the name of the service.",
        "resnet50",
    ),
    FORECASTER: Annotation("forecaster", _name, "The forecaster, by its name.", "ensemble"),
    PLANNER: Annotation("planner", _name, "The planner, by its name.", "auto"),
    PRIORITY: Annotation(
        "priority",
        _priority,
        "What its requests count where room is short, beside those of others; default: 1.",
        "2",
    ),
    PAUSED: Annotation("paused", _flag, "`true` holds everything as it is.", "true"),
}
"""All annotations that a Knative Service may bear, by name."""
