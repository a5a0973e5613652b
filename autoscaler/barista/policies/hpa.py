"""Kubernetes' horizontal pod autoscaler (autoscaling/v2), as a rule.

It scales the count by the ratio of mean utilisation to target, and leaves it within a tolerance. Pods that
are not ready count as idle where the ratio asks for more. Scaling up at most doubles, or adds four pods,
in 15 s; scaling down waits until no look of the last five minutes wanted more. Utilisation is the share of
the replicas' places that are taken, which like that of a cpu cannot pass 100 %.
Rules and defaults are those of the Kubernetes documentation, "Horizontal Pod Autoscaling".
"""

import math
from dataclasses import dataclass, field

from barista.policies.counting import CannotSee, Look
from barista.values.service import ServiceId

NAME = "hpa"
TICK_S = 15.0
TOLERANCE = 0.1
DOWN_WINDOW_S = 300.0
UP_PODS, UP_FACTOR = 4, 2


@dataclass(slots=True)
class Hpa:
    """The rule; `target` is the utilisation it aims at, a share. It remembers what it wanted."""

    target: float
    _wanted: dict[ServiceId, list[tuple[float, int]]] = field(default_factory=dict)

    def __call__(self, look: Look, /) -> tuple[int, str]:
        """The count and why. CannotSee without a fresh concurrency."""
        service, seen, current = look.view.service, look.view.observation.concurrency, look.count
        if not seen.is_fresh or seen.value is None:
            raise CannotSee(f"concurrency is {seen.freshness}")
        if current == 0:
            return 1, "none is there"
        busy = seen.value / service.concurrency
        past = self._wanted.get(service.id) or [(look.at_s, current)]
        past = [(at_s, count) for at_s, count in past if at_s > look.at_s - DOWN_WINDOW_S]
        past.append((look.at_s, desired(busy, look.ready, current, self.target)))
        self._wanted[service.id] = past
        wanted, most = past[-1][1], max(count for _, count in past)
        at_most = max(current + UP_PODS, UP_FACTOR * current)
        steady = min(wanted, at_most) if wanted > current else min(current, most)
        text = f"utilisation {min(1.0, busy / max(1, look.ready)):.0%}, target {self.target:.0%}"
        return steady, text


def desired(busy: float, ready: int, current: int, target: float) -> int:
    """Pods for `busy` replicas' worth of work on `ready` of `current` ones, before any limit."""
    if ready == 0:
        return current
    ratio = min(1.0, busy / ready) / target
    if abs(ratio - 1) <= TOLERANCE:
        return current
    if ratio < 1 or ready == current:
        return math.ceil(round(ratio * ready, 9))
    spread = ratio * ready / current
    if spread <= 1 + TOLERANCE:
        return current
    return math.ceil(round(spread * current, 9))
