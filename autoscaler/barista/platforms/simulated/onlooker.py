"""The onlooker: demand as it is seen on a simulated cluster, where nobody serves it.

What comes does not hang on who serves, so what forecasters say of it can be found out without playing
a single request.
"""

from collections.abc import Iterable, Mapping, Sequence

from barista.platforms.simulated.metrics import View, recent
from barista.platforms.simulated.offered import Offered
from barista.platforms.simulated.service import SimulatedService
from barista.ports.platform import MetricSource, Platform
from barista.values.decision import Applied, Decision
from barista.values.observation import Observation
from barista.values.replica import Replica
from barista.values.series import Demand
from barista.values.service import DispatchRule, Service, ServiceId


class Onlooker(Platform, MetricSource):
    """Sees the demand of `services` from `start_s` on; nothing else is there, and nothing is done."""

    def __init__(self, services: Iterable[SimulatedService], start_s: float) -> None:
        self._offered = {given.id: Offered(given.past, given.arrivals_s, start_s) for given in services}

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        """No replicas."""
        return {}

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        """Nothing."""
        return tuple(Applied(decision.service, ok=False, text="only looked at") for decision in decisions)

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:  # noqa: ARG002
        """That of the simulated cluster."""
        return DispatchRule.LEAST_LOADED

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        """The recent demand of each service; all else is missing."""
        view = View(now_s, window_s, step_s)
        seen = {}
        for service in services:
            nothing = Observation.missing(service.id)
            demand = recent(self._offered[service.id], view)
            seen[service.id] = Observation(
                service.id,
                nothing.demand_rps,
                nothing.latency_s,
                nothing.in_flight,
                nothing.concurrency,
                demand,
            )
        return seen

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Demand on the whole steps within ``[start_s, end_s)``."""
        found = {name: self._offered[name].series(start_s, end_s, step_s) for name in services}
        return {name: demand for name, demand in found.items() if len(demand)}
