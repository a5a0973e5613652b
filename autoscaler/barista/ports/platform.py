"""Platform and MetricSource: where services run, and how they are seen."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from barista.values.decision import Applied, Decision
from barista.values.observation import Observation
from barista.values.replica import Replica
from barista.values.series import Demand
from barista.values.service import DispatchRule, Service, ServiceId


class PlatformUnavailable(Exception):
    """The platform could not be asked; what it holds is unknown, which is not nothing."""


class Platform(Protocol):
    """Where replicas run: tells what is there, carries decisions out."""

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        """Replicas by service. PlatformUnavailable when it cannot be asked."""
        ...

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        """Bring services to what the decisions say; one under `advise` writes nothing.

        Those that change nothing come too. What already is so is not written again.
        """
        ...

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:
        """How requests of `service` are handed to its replicas."""
        ...


class MetricSource(Protocol):
    """Where measurements come from. The number of queries does not grow with the services."""

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        """What was seen up to `now_s`: recent demand over `window_s` on `step_s`, latency, in flight.

        Never raises for an absent or late source: its readings are then missing or stale.
        """
        ...

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Demand over ``[start_s, end_s)`` on `step_s` for learning; gaps are NaN.

        A service without any value is left out.
        """
        ...
