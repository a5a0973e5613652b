"""A fleet: the replicas of one simulated service, through their lives.

A replica is ordered, placed once its pool has room, set up, ready; told to stop, it finishes what it
is working on and is gone. Set-up times are drawn from the profile, in the order of the placements.
"""

import math
from dataclasses import dataclass

import numpy as np

from barista.platforms.simulated.ledger import Ledger
from barista.platforms.simulated.queue import FcfsQueue
from barista.platforms.simulated.service import SimulatedService
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


class Fleet:
    """The replicas of `given`, who serve its `queue` and are paid for in its `ledger`."""

    def __init__(
        self, given: SimulatedService, queue: FcfsQueue, chance: np.random.Generator, start_s: float
    ) -> None:
        self.replicas: list[SimulatedReplica] = []
        self.ledger = Ledger()
        self._given, self._queue, self._chance = given, queue, chance
        self._ordered = 0
        for flavor, count in given.replicas.items():
            for _ in range(count):
                replica = self.order(flavor, start_s)
                self._take_room(replica, start_s, start_s)
                self._get_ready(replica)

    def held(self, flavor: str) -> list[SimulatedReplica]:
        """Replicas of `flavor` that are not leaving: the ready ones first, then by age."""
        mine = [r for r in self.replicas if r.flavor == flavor and r.phase is not Phase.DRAINING]
        return sorted(mine, key=lambda r: (r.phase is not Phase.READY, not r.is_placed, r.number))

    def order(self, flavor: str, now_s: float) -> SimulatedReplica:
        """A new replica of `flavor`, waiting for room. ValueError when the flavor was never measured."""
        self._given.profile(flavor)
        self._ordered += 1
        replica = SimulatedReplica(self._given.id, self._ordered, flavor, now_s)
        self.replicas.append(replica)
        return replica

    def place(self, replica: SimulatedReplica, now_s: float) -> None:
        """There is room: the set-up of `replica` begins."""
        setup_s = self._given.profile(replica.flavor).setup_time.quantile(self._chance.random())
        self.ledger.set_up(now_s)
        self._take_room(replica, now_s, now_s + setup_s)

    def move_on(self, replica: SimulatedReplica) -> None:
        """What was due: a starting replica gets ready, a leaving one is gone."""
        if replica.phase is Phase.STARTING:
            self._get_ready(replica)
        else:
            self._go(replica, replica.due_s)

    def stop(self, flavor: str, count: int, now_s: float) -> None:
        """`count` replicas of `flavor` leave.

        Those whose lease is over go first; of them, those that do not serve yet, then the youngest.
        """
        leaving = sorted(self.held(flavor), key=lambda r: r.lease_until_s <= now_s)
        for replica in reversed(leaving[-count:]):
            self._stop(replica, now_s)

    def resize(self, replica: SimulatedReplica, flavor: str, now_s: float) -> None:
        """`replica` is of `flavor` from now on; what it is working on it finishes as before."""
        self._given.profile(flavor)
        replica.flavor = flavor
        if replica.is_placed:
            self.ledger.begin(replica.id, flavor, now_s)
        if replica.phase is Phase.READY:
            self._queue.change(replica.id, flavor)

    def _take_room(self, replica: SimulatedReplica, now_s: float, ready_at_s: float) -> None:
        replica.ready_at_s = replica.due_s = ready_at_s
        replica.lease_until_s = now_s + self._given.service.lease_s
        self.ledger.begin(replica.id, replica.flavor, now_s)

    def _get_ready(self, replica: SimulatedReplica) -> None:
        workers = self._given.profile(replica.flavor).workers
        self._queue.join(replica.id, replica.flavor, workers, replica.due_s)
        replica.phase, replica.due_s = Phase.READY, math.inf

    def _stop(self, replica: SimulatedReplica, now_s: float) -> None:
        last_s = self._queue.leave(replica.id) if replica.phase is Phase.READY else now_s
        replica.phase, replica.due_s = Phase.DRAINING, max(last_s, now_s)
        if replica.due_s <= now_s:
            self._go(replica, now_s)

    def _go(self, replica: SimulatedReplica, now_s: float) -> None:
        self.ledger.end(replica.id, max(now_s, replica.lease_until_s))
        self.replicas.remove(replica)
