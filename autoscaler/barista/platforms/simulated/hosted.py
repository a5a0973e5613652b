"""A service as a simulated cluster hosts it: its queue, its demand and its fleet, with its own chances."""

import zlib
from dataclasses import dataclass

import numpy as np

from barista.platforms.simulated.fleet import Fleet
from barista.platforms.simulated.offered import Offered
from barista.platforms.simulated.queue import FcfsQueue
from barista.platforms.simulated.replica import Agenda
from barista.platforms.simulated.room import Room
from barista.platforms.simulated.run import ServiceRun
from barista.platforms.simulated.service import SimulatedService
from barista.values.flavor import Catalogue
from barista.values.service import DispatchRule

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Hosted:
    """One service in a cluster."""

    given: SimulatedService
    queue: FcfsQueue
    offered: Offered
    fleet: Fleet

    @staticmethod
    def of(
        given: SimulatedService,
        start_s: float,
        seed: int,
        queue_limit: int | None,
        dispatch: DispatchRule,
        room: Room,
        agenda: Agenda,
    ) -> "Hosted":
        """`given` from `start_s` on. Chances hang on `seed` and the service's identity alone."""
        if given.arrivals_s.size and given.arrivals_s[0] < start_s:
            raise ValueError(f"service {given.id}: arrivals before the start at {start_s} s: cut them off")
        luck, setups = np.random.default_rng([seed, zlib.crc32(given.id.encode())]).spawn(2)
        queue = FcfsQueue(
            given.arrivals_s,
            luck.random(len(given.arrivals_s)),
            lambda flavor: given.profile(flavor).service_time,
            queue_limit,
            dispatch,
            seed,
        )
        offered = Offered(given.past, given.arrivals_s, start_s)
        return Hosted(given, queue, offered, Fleet(given, queue, setups, start_s, room, agenda))

    def outcome(self, from_s: float, until_s: float, catalogue: Catalogue) -> ServiceRun:
        """What came of the service within ``[from_s, until_s]``."""
        seconds = self.fleet.ledger.replica_seconds(from_s, until_s)
        return ServiceRun(
            slo=self.given.service.slo,
            latencies_s=self.queue.latencies_s(from_s, until_s),
            refused=self.queue.refused(until_s, from_s),
            replica_seconds=seconds,
            cost=sum(s / HOUR_S * catalogue.flavor(name).cost_per_hour for name, s in seconds.items()),
            cold_starts=self.fleet.ledger.cold_starts(from_s, until_s),
            paid=self.fleet.ledger.paid(from_s, until_s),
            changes=self.fleet.ledger.changes(from_s, until_s),
        )
