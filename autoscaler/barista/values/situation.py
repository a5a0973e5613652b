"""The situation: everything one cycle knows, as one value. Deciding needs nothing else."""

from dataclasses import dataclass, field

from barista.values.decision import Memory
from barista.values.flavor import Catalogue
from barista.values.observation import Observation
from barista.values.profile import Profiles
from barista.values.replica import Replica
from barista.values.service import DispatchRule, Service, ServiceId


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as seen now: settings, what was measured, what it holds, what flavors can do.

    `replicas` is None when the platform could not be asked: unknown, not none.
    """

    service: Service
    observation: Observation
    replicas: tuple[Replica, ...] | None
    profiles: Profiles
    dispatch: DispatchRule = DispatchRule.LEAST_LOADED


@dataclass(frozen=True, slots=True)
class Situation:
    """All services as seen at `at_s`, the catalogue they share, and the memory of earlier cycles."""

    at_s: float
    catalogue: Catalogue
    services: tuple[ServiceView, ...]
    memory: Memory = field(default_factory=Memory)

    def view(self, service: ServiceId) -> ServiceView:
        """The view of `service`; KeyError when it is not there."""
        for view in self.services:
            if view.service.id == service:
                return view
        raise KeyError(f"service {service}: not in the situation")
