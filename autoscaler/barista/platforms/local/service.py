"""A service on this machine: its settings, its model's archive, and how long its replicas take to start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from barista.values.replica import Counts
from barista.values.service import Authority, Service, ServiceId


@dataclass(frozen=True, slots=True)
class LocalService:
    """A service to be run; `setup_s` is the set-up time to expect, by flavor (left out: unknown)."""

    service: Service
    archive: Path
    setup_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> ServiceId:
        """Identity of the service."""
        return self.service.id


@dataclass(frozen=True, slots=True)
class Target:
    """The replicas by flavor that `service` should hold from now on, and the authority to say so."""

    service: ServiceId
    authority: Authority
    final: Counts
