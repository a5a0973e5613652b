"""A fleet: the replicas of one simulated service, through their lives.

A replica is ordered, placed once its pool has room, set up, ready; told to stop, it finishes what it
is working on and is gone. Set-up times are drawn from the profile, in the order of the placements.
"""

import math

import numpy as np

from barista.platforms.simulated.ledger import Ledger
from barista.platforms.simulated.queue import FcfsQueue
from barista.platforms.simulated.replica import Agenda, SimulatedReplica
from barista.platforms.simulated.room import Room
from barista.platforms.simulated.service import SimulatedService
from barista.values.replica import Phase, Replica


class Fleet:
    """The replicas of `given`, who serve its `queue` and are paid for in its `ledger`.

    They take their `room`, and when each is due stands in the `agenda`; both are shared by all fleets.
    """

    def __init__(
        self,
        given: SimulatedService,
        queue: FcfsQueue,
        chance: np.random.Generator,
        start_s: float,
        room: Room,
        agenda: Agenda,
    ) -> None:
        self.replicas: list[SimulatedReplica] = []
        self.ledger = Ledger()
        self._given, self._queue, self._chance = given, queue, chance
        self._room, self._agenda = room, agenda
        self._ordered = 0
        self._seen: tuple[Replica, ...] | None = None
        for flavor, count in given.replicas.items():
            for _ in range(count):
                replica = self.order(flavor, start_s)
                self._take_room(replica, start_s, start_s)
                self._get_ready(replica)

    def seen(self) -> tuple[Replica, ...]:
        """The replicas as the platform tells of them: the same tuple until something has changed."""
        if self._seen is None:
            self._seen = tuple(replica.seen() for replica in self.replicas)
        return self._seen

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
        self._seen = None
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
        if replica.is_placed:
            self._room.give_back(replica.flavor)
            self._room.take(flavor)
            self.ledger.begin(replica.id, flavor, now_s)
        replica.flavor, self._seen = flavor, None
        if replica.phase is Phase.READY:
            self._queue.change(replica.id, flavor)

    def _take_room(self, replica: SimulatedReplica, now_s: float, ready_at_s: float) -> None:
        replica.ready_at_s = replica.due_s = ready_at_s
        replica.lease_until_s = now_s + self._given.service.lease_s
        self._seen = None
        self._room.take(replica.flavor)
        self._agenda.note(replica)
        self.ledger.begin(replica.id, replica.flavor, now_s)

    def _get_ready(self, replica: SimulatedReplica) -> None:
        workers = self._given.profile(replica.flavor).workers
        self._queue.join(replica.id, replica.flavor, workers, replica.due_s)
        replica.phase, replica.due_s, self._seen = Phase.READY, math.inf, None

    def _stop(self, replica: SimulatedReplica, now_s: float) -> None:
        last_s = self._queue.leave(replica.id) if replica.phase is Phase.READY else now_s
        replica.phase, replica.due_s, self._seen = Phase.DRAINING, max(last_s, now_s), None
        if replica.due_s <= now_s:
            self._go(replica, now_s)
        else:
            self._agenda.note(replica)

    def _go(self, replica: SimulatedReplica, now_s: float) -> None:
        self.ledger.end(replica.id, max(now_s, replica.lease_until_s))
        if replica.is_placed:
            self._room.give_back(replica.flavor)
        replica.due_s, self._seen = math.inf, None
        self.replicas.remove(replica)
