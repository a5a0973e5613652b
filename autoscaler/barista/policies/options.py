"""The options of rivals: checked when the policy is made, so that a run does not fail half-way."""

from collections.abc import Iterable, Mapping
from datetime import time
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from barista.values.service import Service


class PolicyError(Exception):
    """No policy of that name, or options it cannot take; the message says which there are."""


class Options(BaseModel):
    """What every one-flavor policy takes: `flavor`, for all services (default: chosen for each)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flavor: str | None = None

    def check(self, policy: str, services: Iterable[Service]) -> None:
        """PolicyError when a service may not use the flavor."""
        for service in services:
            if self.flavor is not None and self.flavor not in service.flavors:
                raise PolicyError(
                    f"policy {policy!r}: option flavor: {self.flavor!r} is none of {service.id}'s;"
                    f" it has {', '.join(service.flavors)}"
                )


class StaticOptions(Options):
    """By service: `counts` of replicas, or `peak_rps` (requests/s), `factor` times which they must serve."""

    counts: Mapping[str, NonNegativeInt] = Field(default_factory=dict)
    peak_rps: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    factor: float = Field(1.0, gt=0)

    def check(self, policy: str, services: Iterable[Service]) -> None:
        """PolicyError when a service is neither counted nor has a peak, or one is not there."""
        services = tuple(services)
        super().check(policy, services)
        known = {service.id for service in services}
        given = {*self.counts, *self.peak_rps}
        if unknown := sorted(given - known):
            raise PolicyError(
                f"policy {policy!r}: no such service: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        if missing := sorted(known - given):
            raise PolicyError(
                f"policy {policy!r}: {', '.join(missing)}: give its replicas in option counts,"
                " or its busiest requests/s in option peak_rps"
            )


class KpaOptions(Options):
    """`time_scale` shortens (below 1) windows and ticks; `scale_to_zero` lets idle services go.

    `target_utilisation` is the share of a pod's concurrency that it is meant to have on average.
    """

    time_scale: float = Field(1.0, gt=0)
    target_utilisation: float = Field(0.7, gt=0, le=1)
    scale_to_zero: bool = False


class HpaOptions(Options):
    """`target_utilisation` is the share of a replica's places that is meant to be taken on average."""

    target_utilisation: float = Field(0.7, gt=0, le=1)


class ScheduleOptions(Options):
    """`counts` of replicas from each time of day (HH:MM, in `time_zone`) on, each times `factor`."""

    counts: Mapping[time, NonNegativeInt] = Field(min_length=1)
    time_zone: ZoneInfo = ZoneInfo("UTC")
    factor: float = Field(1.0, gt=0)


class AiadOptions(Options):
    """Below `low` times the objective, latency lets a replica go."""

    low: float = Field(0.5, gt=0, lt=1)


class OneshotOptions(Options):
    """`target` is the share of the objective that the latency is meant to have."""

    target: float = Field(1.0, gt=0)


class PublishedOptions(Options):
    """`factor` times what is foreseen is bought."""

    factor: float = Field(1.0, gt=0)


class FairShareOptions(Options):
    """`total` is what all services have together."""

    total: int = Field(gt=0)


_O = TypeVar("_O", bound=Options)


def parsed(kind: type[_O], policy: str, options: Mapping[str, object], services: Iterable[Service]) -> _O:
    """`options` as checked values of `kind`. PolicyError names the option and what is wrong with it."""
    try:
        made = kind.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(kind.model_fields)
        raise PolicyError(f"policy {policy!r}: option {where}: {first['msg']}; it takes {known}") from error
    made.check(policy, services)
    return made
