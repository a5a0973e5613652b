"""Static: a fixed count of one flavor, the way services are sized by hand for their busiest hour."""

from dataclasses import dataclass

from barista.policies.flavor import one_flavor
from barista.policies.options import StaticOptions
from barista.policies.policy import held, outcome, wanted
from barista.ports.capacity import CapacityModel
from barista.values.decision import Decision, Memory, Outcome, Reason
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

NAME = "static"


@dataclass(frozen=True, slots=True)
class _Size:
    """What a service is given for good, and why."""

    flavor: str
    count: int
    text: str


class Static:
    """Gives every service its count at the first sight of it, and sees that it stays so."""

    name = NAME
    tick_s: float | None = None

    def __init__(self, options: StaticOptions, capacity: CapacityModel) -> None:
        self._options, self._capacity = options, capacity
        self._sizes: dict[ServiceId, _Size] = {}

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """The same counts, whatever is seen."""
        return outcome(tuple(self._decide(view, situation) for view in situation.services), memory)

    def _decide(self, view: ServiceView, situation: Situation) -> Decision:
        if view.replicas is None:
            return held(view, NAME, "the platform does not say what is there", situation)
        if view.service.id not in self._sizes:
            self._sizes[view.service.id] = self._size(view, situation)
        size = self._sizes[view.service.id]
        counts = {size.flavor: size.count} if size.count else {}
        return wanted(view, counts, counts, (Reason(NAME, size.text),), situation)

    def _size(self, view: ServiceView, situation: Situation) -> _Size:
        service = view.service
        flavor = self._options.flavor or one_flavor(view, situation.catalogue, self._capacity)
        if service.id in self._options.counts:
            count = self._options.counts[service.id]
            return _Size(flavor, count, f"{count} replicas, as told")
        peak_rps = self._options.factor * self._options.peak_rps[service.id]
        for count in range(max(1, service.min_replicas), service.max_replicas + 1):
            if self._rps(view, flavor, count) >= peak_rps:
                return _Size(flavor, count, f"{count} replicas for a peak of {peak_rps:g} requests/s")
        return _Size(
            flavor,
            service.max_replicas,
            f"max_replicas {service.max_replicas}: fewer than a peak of {peak_rps:g} requests/s needs",
        )

    def _rps(self, view: ServiceView, flavor: str, count: int) -> float:
        profile = view.profiles.get(flavor)
        return (
            self._capacity.rps(profile, view.service.slo, view.dispatch, count)
            if profile is not None
            else 0.0
        )
