"""The KPA as a rival: its rules on what Barista sees, with one flavor.

Knative's proxies report every second the concurrency averaged over time, and its activator what waits. Here
that is the mean number in service over the last tick and what waits at its end, for each second of it. A mean
over the tick matters: looks at single moments would make the rival jittery, and dearer than it is. A service
goes to zero only where that is switched on.
"""

import math
from dataclasses import dataclass, field, replace

from barista.policies.buckets import Buckets
from barista.policies.flavor import one_flavor
from barista.policies.kpa import KpaRules, KpaState, scale
from barista.policies.options import KpaOptions
from barista.policies.policy import held, outcome, wanted
from barista.policies.zero import Since, Standing, ZeroRules, bounded, following
from barista.ports.capacity import CapacityModel
from barista.values.decision import Decision, Memory, Outcome, Reason
from barista.values.replica import Phase, Replica
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

NAME = "kpa"
TICK_S, REPORT_S = 2.0, 1.0
"""It looks every tick, in which so many reports come."""


@dataclass(slots=True)
class _Track:
    """What is kept of one service: its flavor, its rules, its windows, and how it stands."""

    flavor: str
    rules: KpaRules
    stable: Buckets
    panic: Buckets
    since: Since
    reported_s: float = -math.inf
    state: KpaState = field(default_factory=KpaState)


class Kpa:
    """Keeps a state of the KPA for every service."""

    name = NAME

    def __init__(self, options: KpaOptions, capacity: CapacityModel) -> None:
        self._options, self._capacity = options, capacity
        self.tick_s: float | None = TICK_S * options.time_scale
        zero, scaled = ZeroRules(enabled=options.scale_to_zero), options.time_scale
        self._zero = replace(
            zero, stable_window_s=scaled * zero.stable_window_s, grace_s=scaled * zero.grace_s
        )
        self._tracks: dict[ServiceId, _Track] = {}

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """What the KPA would set for every service."""
        return outcome(tuple(self._decide(view, situation) for view in situation.services), memory)

    def _decide(self, view: ServiceView, situation: Situation) -> Decision:
        service, now_s = view.service, situation.at_s
        if view.replicas is None:
            return held(view, NAME, "the platform does not say what is there", situation)
        ready = sum(replica.phase is Phase.READY for replica in view.replicas)
        if service.id not in self._tracks:
            self._tracks[service.id] = self._begun(view, ready, situation)
        track = self._tracks[service.id]
        concurrency = _concurrency(view, view.replicas)
        if concurrency is not None:
            self._record(track, now_s, concurrency)
        elif track.stable.is_empty(now_s):
            return held(view, NAME, f"in flight is {view.observation.in_flight.freshness}", situation)
        stable, panic = track.stable.mean(now_s), track.panic.mean(now_s)
        opinion, track.state = scale(stable, panic, track.state, ready, now_s, track.rules)
        pods = min(max(opinion.pods, service.min_replicas), service.max_replicas)
        kept = bounded(pods, track.since, now_s, self._zero)
        track.since = following(track.since, pods, kept, ready, now_s)
        if kept is None:
            return held(
                view, NAME, f"idle, {track.since.standing} for {now_s - track.since.at_s:.0f} s", situation
            )
        reasons = [Reason(NAME, f"{opinion.pods} pods; {opinion.text}")]
        if kept != opinion.pods:
            bounds = f"{service.min_replicas} to {service.max_replicas}"
            reasons.append(Reason("service bounds", bounds, binds=True))
        flavor = track.flavor
        return wanted(view, _counts(flavor, opinion.pods), _counts(flavor, kept), tuple(reasons), situation)

    def _begun(self, view: ServiceView, ready: int, situation: Situation) -> _Track:
        service, scaled = view.service, self._options.time_scale
        rules = KpaRules(self._options.target_utilisation * service.concurrency)
        rules = replace(rules, stable_window_s=rules.stable_window_s * scaled)
        return _Track(
            flavor=self._options.flavor or one_flavor(view, situation.catalogue, self._capacity),
            rules=rules,
            stable=Buckets(rules.stable_window_s, REPORT_S * scaled),
            panic=Buckets(rules.panic_share * rules.stable_window_s, REPORT_S * scaled),
            since=Since(Standing.ACTIVE if ready else Standing.ACTIVATING, situation.at_s),
            state=KpaState.starting(ready, situation.at_s),
        )

    def _record(self, track: _Track, now_s: float, concurrency: float) -> None:
        """A report for each second of the last tick that has none yet: looks need not come on the second."""
        report_s, tick_s = (self._options.time_scale * seconds for seconds in (REPORT_S, TICK_S))
        at_s = max(track.reported_s, now_s - tick_s) + report_s
        while at_s <= now_s + 1e-9:
            track.stable.record(at_s, concurrency)
            track.panic.record(at_s, concurrency)
            track.reported_s = at_s
            at_s += report_s


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
