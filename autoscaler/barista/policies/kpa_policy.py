"""The KPA as a rival: its rules on what Barista sees, with one flavor.

Knative's proxies report the concurrency averaged over time, and its activator what waits. Here a
sample is the mean number in service over the last tick and what waits at its end. A mean over the
tick matters: looks at single moments would make the rival jittery, and dearer than it is. A service
goes to zero only where that is switched on.
"""

from dataclasses import replace

from barista.policies.flavor import one_flavor
from barista.policies.kpa import KpaRules, KpaState, Sample, scale
from barista.policies.options import KpaOptions
from barista.policies.policy import held, outcome, wanted
from barista.ports.capacity import CapacityModel
from barista.values.decision import Decision, Memory, Outcome, Reason
from barista.values.replica import Phase, Replica
from barista.values.service import Service, ServiceId
from barista.values.situation import ServiceView, Situation

NAME = "kpa"
TICK_S = 2.0


class Kpa:
    """Keeps a state of the KPA for every service."""

    name = NAME

    def __init__(self, options: KpaOptions, capacity: CapacityModel) -> None:
        self._options, self._capacity = options, capacity
        self.tick_s: float | None = TICK_S * options.time_scale
        self._states: dict[ServiceId, KpaState] = {}
        self._flavors: dict[ServiceId, str] = {}

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """What the KPA would set for every service."""
        return outcome(tuple(self._decide(view, situation) for view in situation.services), memory)

    def _decide(self, view: ServiceView, situation: Situation) -> Decision:
        service, now_s = view.service, situation.at_s
        if view.replicas is None:
            return held(view, NAME, "the platform does not say what is there", situation)
        concurrency = _concurrency(view, view.replicas)
        if concurrency is None:
            return held(view, NAME, f"in flight is {view.observation.in_flight.freshness}", situation)
        rules = self._rules(service)
        ready = sum(replica.phase is Phase.READY for replica in view.replicas)
        state = self._states.get(service.id) or KpaState.starting(ready, now_s)
        state = state.seeing(Sample(now_s, concurrency), rules)
        opinion, self._states[service.id] = scale(state, ready, now_s, rules)
        if opinion.pods is None:
            return held(view, NAME, opinion.text, situation)
        flavor = self._flavor(view, situation)
        least = service.min_replicas if self._options.scale_to_zero else max(1, service.min_replicas)
        count = min(max(opinion.pods, least), service.max_replicas)
        reasons = [Reason(NAME, f"{opinion.pods} pods; {opinion.text}")]
        if count != opinion.pods:
            reasons.append(Reason("service bounds", f"{least} to {service.max_replicas}", binds=True))
        return wanted(view, _counts(flavor, opinion.pods), _counts(flavor, count), tuple(reasons), situation)

    def _rules(self, service: Service) -> KpaRules:
        rules, time_scale = (
            KpaRules(self._options.target_utilisation * service.concurrency),
            self._options.time_scale,
        )
        return replace(
            rules,
            stable_window_s=rules.stable_window_s * time_scale,
            panic_window_s=rules.panic_window_s * time_scale,
        )

    def _flavor(self, view: ServiceView, situation: Situation) -> str:
        service = view.service.id
        if service not in self._flavors:
            chosen = self._options.flavor or one_flavor(view, situation.catalogue, self._capacity)
            self._flavors[service] = chosen
        return self._flavors[service]


def _concurrency(view: ServiceView, replicas: tuple[Replica, ...]) -> float | None:
    """Requests in service, on average, and waiting; what is in flight where no average is known."""
    in_flight, in_service = view.observation.in_flight, view.observation.concurrency
    if not in_flight.is_fresh or in_flight.value is None:
        return None
    if not in_service.is_fresh or in_service.value is None:
        return in_flight.value
    places = view.service.concurrency * sum(replica.phase is not Phase.STARTING for replica in replicas)
    return in_service.value + max(0.0, in_flight.value - places)


def _counts(flavor: str, count: int) -> dict[str, int]:
    return {flavor: count} if count > 0 else {}
