"""A service: one model behind one Knative Service (or one local route), with its settings resolved.

Settings are resolved once, at the edge (`barista.settings`); from here on they are plain values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

ServiceId = NewType("ServiceId", str)
"""``namespace/name`` of a Knative Service; the identity of a service everywhere."""


def service_id(namespace: str, name: str) -> ServiceId:
    """Identity of the service `name` in `namespace`."""
    return ServiceId(f"{namespace}/{name}")


@dataclass(frozen=True, slots=True)
class Slo:
    """Latency objective: `percentile` (a fraction) of the requests answer within `latency_s`."""

    latency_s: float
    percentile: float = 0.95

    def __post_init__(self) -> None:
        if not self.latency_s > 0:
            raise ValueError(f"SLO latency {self.latency_s} s: must be above 0")
        if not 0 < self.percentile < 1:
            raise ValueError(f"SLO percentile {self.percentile}: must lie between 0 and 1, e.g. 0.95")

    def __str__(self) -> str:
        return f"{self.latency_s * 1000:g} ms at p{self.percentile * 100:g}"


class Authority(StrEnum):
    """How far Barista may go: only say, move the floor, or replace the KPA's choice."""

    ADVISE = "advise"
    FLOOR = "floor"
    PIN = "pin"


class DispatchRule(StrEnum):
    """How a platform hands requests to the replicas of a service."""

    LEAST_LOADED = "least-loaded"
    FIRST_FREE = "first-free"
    ROUND_ROBIN = "round-robin"
    TWO_CHOICES = "two-choices"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """A plug-in chosen by name, with its options."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """One service and its resolved settings.

    `flavors` are the names it may use; bounds count replicas; `demand_quantile` is the quantile
    of the forecast that capacity is bought for; `concurrency` is the number of requests that
    one replica works on at once (containerConcurrency; the model workers of its family).
    """

    id: ServiceId
    model: str
    slo: Slo
    flavors: tuple[str, ...]
    min_replicas: int = 1
    max_replicas: int = 10
    authority: Authority = Authority.ADVISE
    forecaster: PluginChoice = PluginChoice("neuralprophet")
    demand_quantile: float = 0.95
    shortfall_cost_per_request: float = 1e-4
    lease_s: float = 0.0
    concurrency: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise ValueError(
                f"service {self.id}: min_replicas {self.min_replicas} and max_replicas"
                f" {self.max_replicas}: need 0 <= min <= max"
            )
        if not self.flavors:
            raise ValueError(f"service {self.id}: flavors is empty: name at least one")
