"""A replica in virtual time, and the agenda of what is due of all of them."""

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from barista.values.replica import Phase, Replica
from barista.values.service import ServiceId


@dataclass(slots=True, eq=False)
class SimulatedReplica:
    """A replica in virtual time. `due_s` is when it next gets ready or is gone by itself.

    While it waits for room, `ready_at_s` is None.
    """

    service: ServiceId
    number: int
    flavor: str
    ordered_at_s: float
    phase: Phase = Phase.STARTING
    ready_at_s: float | None = None
    lease_until_s: float = 0.0
    due_s: float = math.inf

    @property
    def id(self) -> str:
        """Its name, unique in the cluster."""
        return f"{self.service}-{self.number}"

    @property
    def is_placed(self) -> bool:
        """Whether it has taken its room in a pool."""
        return self.ready_at_s is not None

    @property
    def waits(self) -> bool:
        """Whether it was ordered and still waits for room."""
        return self.phase is Phase.STARTING and not self.is_placed

    def seen(self) -> Replica:
        """The replica as the platform tells of it."""
        return Replica(
            id=self.id,
            service=self.service,
            flavor=self.flavor,
            phase=self.phase,
            ordered_at_s=self.ordered_at_s,
            ready_at_s=self.ready_at_s,
            lease_until_s=self.lease_until_s,
        )


class Agenda:
    """Which replica of a cluster is due next; of those due at one moment, the one that was noted first."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, SimulatedReplica]] = []
        self._numbers = count()

    def note(self, replica: SimulatedReplica) -> None:
        """`replica` is due at its `due_s`, and no more at any earlier noted moment."""
        if replica.due_s < math.inf:
            heappush(self._entries, (replica.due_s, next(self._numbers), replica))

    def next_until(self, to_s: float) -> SimulatedReplica | None:
        """The replica that is due next, if that is no later than `to_s`; it is taken off."""
        while self._entries and self._entries[0][0] <= to_s:
            due_s, _, replica = heappop(self._entries)
            if replica.due_s == due_s:  # else something else became of it meanwhile
                return replica
        return None
