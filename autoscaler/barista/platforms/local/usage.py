"""Usage: what the replicas of each service have cost, from order to end, by the flavor held at the time."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from barista.values.flavor import Catalogue
from barista.values.service import ServiceId


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """What one service used: seconds that replicas were held by flavor, their cost at `cost_per_hour`.

    `cold_starts` counts the replicas ordered after the initial ones, `crashes` those that ended unasked,
    while starting or while serving.
    """

    replica_seconds: Mapping[str, float]
    cost: float
    cold_starts: int
    crashes: int


class Meter:
    """Counts usage. Times are seconds of one clock that never goes back."""

    def __init__(self, services: tuple[ServiceId, ...], catalogue: Catalogue) -> None:
        self._services = services
        self._catalogue = catalogue
        self._held: dict[str, tuple[ServiceId, str, float]] = {}
        self._seconds: dict[ServiceId, defaultdict[str, float]] = {s: defaultdict(float) for s in services}
        self._cold_starts: Counter[ServiceId] = Counter()
        self._crashes: Counter[ServiceId] = Counter()

    def order(self, replica: str, service: ServiceId, flavor: str, now_s: float, *, initial: bool) -> None:
        """A replica was ordered, for the run to begin with or later."""
        self._held[replica] = (service, flavor, now_s)
        self._cold_starts[service] += not initial

    def change(self, replica: str, flavor: str, now_s: float) -> None:
        """A replica was changed in place."""
        service = self.release(replica, now_s)
        self._held[replica] = (service, flavor, now_s)

    def crash(self, service: ServiceId) -> None:
        """A replica ended unasked."""
        self._crashes[service] += 1

    def release(self, replica: str, now_s: float) -> ServiceId:
        """A replica has ended; the service it was of."""
        service, flavor, since_s = self._held.pop(replica)
        self._seconds[service][flavor] += now_s - since_s
        return service

    def usage(self, now_s: float) -> dict[ServiceId, ServiceUsage]:
        """Usage by service up to `now_s`."""
        return {service: self._of(service, now_s) for service in self._services}

    def _of(self, service: ServiceId, now_s: float) -> ServiceUsage:
        seconds = self._seconds[service].copy()
        for its_service, flavor, since_s in self._held.values():
            if its_service == service:
                seconds[flavor] += now_s - since_s
        cost = sum(self._catalogue.flavor(name).cost_per_hour * held / 3600 for name, held in seconds.items())
        return ServiceUsage(dict(seconds), cost, self._cold_starts[service], self._crashes[service])
