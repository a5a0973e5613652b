"""Calm: looks of surge that can find nothing, told without looking.

Surge looks every few seconds, and finds nothing nearly always. In virtual time those looks would be most of
the work. One is left out where its answer is known beforehand: no service has a boost to honour or more in
flight than can make its SLO, and none answered a single request late within the window that surge sees.
What is left out would have decided nothing and remembered what it was given: a replay comes to the same with
and without it, to the last digit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.rails.rail import Scene
from barista.values.decision import Memory, Outcome
from barista.values.observation import Observation
from barista.values.replica import Replica, count_by_flavor
from barista.values.service import Service, ServiceId
from barista.values.situation import ServiceView, Situation

Surge = Callable[[Memory, float], Outcome]


@dataclass(slots=True)
class Calm:
    """Knows when all services of `seen` on `cluster` are well; surge's figures reach back `window_s`."""

    cluster: SimulatedCluster
    seen: Watched
    rules: Rules
    window_s: float
    _within_slo: dict[ServiceId, tuple[tuple[Replica, ...], float]] = field(default_factory=dict)

    def before(self, surge: Surge) -> Surge:
        """`surge`, asked only where it could find something."""

        def look(memory: Memory, now_s: float) -> Outcome:
            if self._is_calm(memory, now_s):
                return Outcome((), memory)
            return surge(memory, now_s)

        return look

    def _is_calm(self, memory: Memory, now_s: float) -> bool:
        state = self.cluster.state()
        return all(self._is_well(service, state[service.id], memory, now_s) for service in self.seen.services)

    def _is_well(self, service: Service, replicas: tuple[Replica, ...], memory: Memory, now_s: float) -> bool:
        known = memory.services.get(service.id)
        if known is None or known.surge_off is not None:
            return False
        if known.boost is not None and known.boost.until_s > now_s:
            return False
        in_flight, longest_s = self.cluster.plight(service.id, self.window_s)
        return longest_s <= service.slo.latency_s and in_flight <= self._able(service, replicas)

    def _able(self, service: Service, replicas: tuple[Replica, ...]) -> float:
        """Requests in flight that can make the SLO; with fewer replicas than the minimum not even none."""
        of, able = self._within_slo.get(service.id, ((), -1.0))
        if of is not replicas:
            held = count_by_flavor(replicas)
            able = -1.0
            if sum(held.values()) >= service.min_replicas:
                able = self._scene_rps(service, replicas) * service.slo.latency_s
            self._within_slo[service.id] = replicas, able
        return able

    def _scene_rps(self, service: Service, replicas: tuple[Replica, ...]) -> float:
        """What the replicas can serve within the SLO, as the guard rails count it."""
        nothing = Observation.missing(service.id)
        dispatch = self.cluster.dispatch_rule(service.id)
        view = ServiceView(service, nothing, replicas, self.seen.profiles.get(service.id, {}), dispatch)
        situation = Situation(self.cluster.now_s, self.seen.catalogue, (view,))
        scene = Scene(situation, situation.at_s, self.rules.capacity, self.rules.rails)
        return scene.capacity_rps(view, count_by_flavor(replicas))
