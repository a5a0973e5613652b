"""The cluster as a platform: replicas are pods, and decisions are carried out by the actuator."""

from collections.abc import Callable, Mapping, Sequence

from barista.platforms.knative.actuation import Actuator
from barista.platforms.knative.client import Refused
from barista.platforms.knative.resizing import flavor_reader
from barista.platforms.knative.snapshot import Snapshot
from barista.platforms.knative.state import dispatch_rule, read_replicas
from barista.ports.platform import PlatformUnavailable
from barista.values.decision import Applied, Decision
from barista.values.flavor import Catalogue
from barista.values.replica import Replica
from barista.values.service import DispatchRule, Service, ServiceId


class KnativePlatform:
    """The services of a cluster that opted in (Platform).

    `look` shows the cluster as it is; `may_act` says whether this process leads, when it comes to acting.
    """

    def __init__(self, look: Callable[[], Snapshot], actuator: Actuator, may_act: Callable[[], bool]) -> None:
        self._look, self._actuator, self._may_act = look, actuator, may_act
        self._services: Mapping[ServiceId, Service] = {}
        self._paused: frozenset[ServiceId] = frozenset()
        self._catalogue = Catalogue({}, {})
        self.outcomes: dict[ServiceId, Applied] = {}
        """What became of each service's last decision."""

    def watch_over(
        self, services: Sequence[Service], catalogue: Catalogue, paused: frozenset[ServiceId]
    ) -> None:
        """From now on these are the services; those that are `paused` are left as they are."""
        self._services, self._catalogue = {service.id: service for service in services}, catalogue
        self._paused = paused
        self.outcomes = {name: it for name, it in self.outcomes.items() if name in self._services}

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        """Replicas by service. PlatformUnavailable when the cluster has not been seen for too long."""
        snapshot = self._look()
        return {
            name: self._replicas(snapshot, service)
            for name, service in self._services.items()
            if name in snapshot.services
        }

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        """Write what the decisions change.

        PlatformUnavailable when the cluster cannot be seen, or another process leads by now.
        """
        snapshot = self._look_to_act()
        acting = {d.service: d for d in decisions if d.service in self._services}
        outcomes = tuple(
            self._actuator.apply(decision, snapshot, self._catalogue, self._services[name].flavors[0])
            for name, decision in acting.items()
            if name not in self._paused
        )
        self.outcomes.update((applied.service, applied) for applied in outcomes)
        return outcomes

    def give_back(self, wanted: Callable[[ServiceId], bool]) -> tuple[Applied, ...]:
        """Undo what was written to the services that `wanted` says; only those that bear something are named.

        PlatformUnavailable as by `apply`.
        """
        snapshot, outcomes = self._look_to_act(), []
        for name, plan in snapshot.plans.items():
            if name not in snapshot.services or not wanted(name):
                continue
            try:
                if self._actuator.give_back(snapshot.services[name], plan.status):
                    outcomes.append(Applied(name, ok=True, text="given back"))
            except (PlatformUnavailable, Refused) as error:
                outcomes.append(Applied(name, ok=False, text=str(error)))
        return tuple(outcomes)

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:
        """How requests of `service` reach its pods; as good as none where the cluster cannot be seen."""
        try:
            snapshot = self._look()
        except PlatformUnavailable:
            return DispatchRule.RANDOM
        if service not in snapshot.services:
            return DispatchRule.RANDOM
        most = self._services[service].max_replicas
        return dispatch_rule(snapshot.services[service], snapshot.config, most)

    def _look_to_act(self) -> Snapshot:
        snapshot = self._look()
        if not self._may_act():
            raise PlatformUnavailable("this controller does not lead any more")
        return snapshot

    def _replicas(self, snapshot: Snapshot, service: Service) -> tuple[Replica, ...]:
        read = flavor_reader(self._catalogue, service.flavors[0])
        return read_replicas(
            snapshot.services[service.id], snapshot.pods.get(service.id, ()), read, service.lease_s
        )
