"""Orders: changes carried out on the fleets, within the room that their pools have.

A new replica that finds no room waits for it, as a pending pod does. Growth in place that finds none
does not happen.
"""

from collections.abc import Iterable, Mapping

from barista.platforms.simulated.fleet import Fleet
from barista.platforms.simulated.replica import SimulatedReplica
from barista.platforms.simulated.room import Room
from barista.values.decision import Change, Horizontal, Vertical
from barista.values.flavor import Catalogue
from barista.values.service import ServiceId


class Orders:
    """Carries changes out on `fleets`, whose replicas share the `room` of the pools of `catalogue`."""

    def __init__(self, catalogue: Catalogue, room: Room, fleets: Mapping[ServiceId, Fleet]) -> None:
        self._catalogue, self._room, self._fleets = catalogue, room, fleets
        self._waiting: list[tuple[Fleet, SimulatedReplica]] = []

    def carry_out(self, orders: Iterable[tuple[ServiceId, Change]], now_s: float) -> dict[ServiceId, str]:
        """Carry the changes out, those that free room first; what could not be done, by service."""
        faults: dict[ServiceId, str] = {}
        for service, change in sorted(orders, key=lambda order: self._growth(order[1])):
            fleet = self._fleets[service]
            if isinstance(change, Horizontal):
                self._scale(fleet, change, now_s)
            elif fault := self._resize(fleet, change, now_s):
                faults[service] = fault
        self.place_waiting(now_s)
        return faults

    def place_waiting(self, now_s: float) -> None:
        """Place the orders that wait and fit, the oldest first."""
        for fleet, replica in self._waiting:
            if replica.waits and self._room.fits(replica.flavor):
                fleet.place(replica, now_s)
        self._waiting = [entry for entry in self._waiting if entry[1].waits]

    def _growth(self, change: Change) -> tuple[bool, float]:
        """Sorts stops before changes in place, shrinking before growing, and starts last."""
        if isinstance(change, Horizontal):
            return change.after > change.before, -1.0 if change.after < change.before else 1.0
        return False, self._catalogue.flavor(change.after).cpu - self._catalogue.flavor(change.before).cpu

    def _scale(self, fleet: Fleet, change: Horizontal, now_s: float) -> None:
        missing = change.after - len(fleet.held(change.flavor))
        self._waiting += [(fleet, fleet.order(change.flavor, now_s)) for _ in range(missing)]
        if missing < 0:
            fleet.stop(change.flavor, -missing, now_s)

    def _resize(self, fleet: Fleet, change: Vertical, now_s: float) -> str:
        for replica in fleet.held(change.before)[: change.count]:
            if replica.is_placed and not self._room.fits(change.after, instead_of=replica.flavor):
                pool = self._catalogue.flavor(change.after).pool
                return f"pool {pool!r}: no room to resize {replica.id} to {change.after!r}"
            fleet.resize(replica, change.after, now_s)
        return ""
