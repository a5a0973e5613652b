"""Replicas: running model servers and where they stand in their life."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from barista.values.service import ServiceId

Counts = Mapping[str, int]
"""Replicas by flavor."""


class Phase(StrEnum):
    """Where a replica stands: ordered but not serving, serving, or leaving."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Replica:
    """One running model server. Times are seconds since the epoch.

    `ready_at_s` is when it became ready, or is expected to while it is starting (None: unknown).
    """

    id: str
    service: ServiceId
    flavor: str
    phase: Phase
    ordered_at_s: float
    ready_at_s: float | None = None
    lease_until_s: float = 0.0


def count_by_flavor(replicas: Iterable[Replica]) -> dict[str, int]:
    """Replicas that are held (starting or ready) by flavor; draining ones are already given up."""
    return dict(Counter(r.flavor for r in replicas if r.phase is not Phase.DRAINING))
