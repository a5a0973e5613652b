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
    of the forecast that capacity is bought for (None: the one that the costs of shortage and capacity
    choose); a `shortfall_cost_per_request` of None follows from the SLO. `concurrency` is the number of
    requests that one replica works on at once (containerConcurrency; the model workers of its family). Where
    room is short, a request of a service of `priority` 2 counts as much as two of one of priority 1.
    """

    id: ServiceId
    model: str
    slo: Slo
    flavors: tuple[str, ...]
    min_replicas: int = 1
    max_replicas: int = 10
    authority: Authority = Authority.ADVISE
    forecaster: PluginChoice = PluginChoice("ensemble")
    demand_quantile: float | None = None
    shortfall_cost_per_request: float | None = None
    lease_s: float = 0.0
    concurrency: int = 1
    priority: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise ValueError(
                f"service {self.id}: min_replicas {self.min_replicas} and max_replicas"
                f" {self.max_replicas}: need 0 <= min <= max"
            )
        if not self.flavors:
            raise ValueError(f"service {self.id}: flavors is empty: name at least one")

    @property
    def highest_level(self) -> float:
        """The highest quantile of demand that may be bought for it: what forecasters must state."""
        if self.demand_quantile is not None:
            return self.demand_quantile
        return self.level_within(self.slo.percentile if self.shortfall_cost_per_request is None else 1.0)

    @staticmethod
    def level_within(level: float) -> float:
        """`level` within the quantiles that are ever chosen: from the median to one that can be learnt."""
        return min(max(level, 0.5), 0.99)
