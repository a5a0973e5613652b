"""Rules that look at nothing but the latency: AIAD adds or takes one, one-shot scales by its ratio."""

import math
from dataclasses import dataclass

from barista.policies.counting import CannotSee, Look
from barista.values.situation import ServiceView

AIAD, ONESHOT = "aiad", "oneshot"
TICK_S = 30.0


@dataclass(frozen=True, slots=True)
class Aiad:
    """One more while the latency is above the objective, one less while it is below `low` times it."""

    low: float

    def __call__(self, look: Look, /) -> tuple[int, str]:
        """The count and why. CannotSee without a fresh latency."""
        count, ratio = look.count, _ratio(look.view)
        change = 1 if ratio > 1 else -1 if ratio < self.low else 0
        return count + change, f"latency {ratio:.0%} of the objective"


@dataclass(frozen=True, slots=True)
class Oneshot:
    """The count times latency over `target` times the objective, at once."""

    target: float

    def __call__(self, look: Look, /) -> tuple[int, str]:
        """The count and why. CannotSee without a fresh latency."""
        count, ratio = look.count, _ratio(look.view)
        return math.ceil(round(count * ratio / self.target, 9)), f"latency {ratio:.0%} of the objective"


def _ratio(view: ServiceView) -> float:
    seen = view.observation.latency_s
    if not seen.is_fresh or seen.value is None:
        raise CannotSee(f"latency is {seen.freshness}")
    return seen.value / view.service.slo.latency_s
