"""What rivals share that know one flavor and give each service a count of it."""

from dataclasses import dataclass
from typing import Protocol

from barista.policies.flavor import one_flavor
from barista.policies.options import Options
from barista.policies.policy import held, outcome, wanted
from barista.ports.capacity import CapacityModel
from barista.values.decision import Decision, Memory, Outcome, Reason
from barista.values.replica import Phase
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation


class CannotSee(Exception):
    """A rule lacks a figure that it needs; the message says which. Its service is left as it is."""


@dataclass(frozen=True, slots=True)
class Look:
    """A service as a rule sees it at `at_s`: `count` replicas, starting or `ready`, and what `view` tells."""

    at_s: float
    view: ServiceView
    count: int
    ready: int


class CountRule(Protocol):
    """How many replicas a service should have; it may keep what it saw of the service."""

    def __call__(self, look: Look, /) -> tuple[int, str]:
        """The count and why. CannotSee when a figure is missing."""
        ...


class Counting:
    """The policy `name` that follows `rule` every `tick_s` seconds, within each service's own bounds."""

    def __init__(
        self, name: str, tick_s: float | None, rule: CountRule, options: Options, capacity: CapacityModel
    ) -> None:
        self.name, self.tick_s = name, tick_s
        self._rule, self._flavor, self._capacity = rule, options.flavor, capacity
        self._flavors: dict[ServiceId, str] = {}

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """What the rule says for every service."""
        return outcome(tuple(self._decide(view, situation) for view in situation.services), memory)

    def _decide(self, view: ServiceView, situation: Situation) -> Decision:
        service = view.service
        if view.replicas is None:
            return held(view, self.name, "the platform does not say what is there", situation)
        count = sum(replica.phase is not Phase.DRAINING for replica in view.replicas)
        ready = sum(replica.phase is Phase.READY for replica in view.replicas)
        try:
            raw, text = self._rule(Look(situation.at_s, view, count, ready))
        except CannotSee as missing:
            return held(view, self.name, str(missing), situation)
        if service.id not in self._flavors:
            chosen = self._flavor or one_flavor(view, situation.catalogue, self._capacity)
            self._flavors[service.id] = chosen
        flavor = self._flavors[service.id]
        least = max(1, service.min_replicas)
        count = min(max(raw, least), service.max_replicas)
        reasons = [Reason(self.name, f"{raw} replicas; {text}")]
        if count != raw:
            reasons.append(Reason("service bounds", f"{least} to {service.max_replicas}", binds=True))
        return wanted(view, {flavor: raw} if raw > 0 else {}, {flavor: count}, tuple(reasons), situation)
