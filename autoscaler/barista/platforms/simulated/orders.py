"""Orders: changes carried out on the fleets, within the room that their pools have.

A new replica that finds no room waits for it, as a pending pod does. Growth in place that finds none
does not happen.
"""

from collections.abc import Iterable, Mapping

from barista.platforms.simulated.fleet import Fleet
from barista.values.decision import Change, Horizontal, Vertical
from barista.values.flavor import RESOURCES, Catalogue
from barista.values.service import ServiceId


class Orders:
    """Carries changes out on `fleets`, which share the pools of `catalogue`."""

    def __init__(self, catalogue: Catalogue, fleets: Mapping[ServiceId, Fleet]) -> None:
        self._catalogue, self._fleets = catalogue, fleets

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
        waiting = [
            (replica.ordered_at_s, fleet, replica)
            for fleet in self._fleets.values()
            for replica in fleet.replicas
            if not replica.is_placed
        ]
        for _, fleet, replica in sorted(waiting, key=lambda entry: entry[0]):
            if self.has_room(replica.flavor):
                fleet.place(replica, now_s)

    def has_room(self, flavor: str, besides: str = "") -> bool:
        """Whether a replica of `flavor` fits its pool, next to all that are placed but `besides`."""
        wanted = self._catalogue.flavor(flavor)
        pool = self._catalogue.pools[wanted.pool]
        others = [
            self._catalogue.flavor(replica.flavor)
            for fleet in self._fleets.values()
            for replica in fleet.replicas
            if replica.is_placed and replica.id != besides
        ]
        return all(
            wanted.amount(resource) + sum(f.amount(resource) for f in others if f.pool == pool.name)
            <= pool.amount(resource) + 1e-9
            for resource in RESOURCES
        )

    def _growth(self, change: Change) -> tuple[bool, float]:
        """Sorts stops before changes in place, shrinking before growing, and starts last."""
        if isinstance(change, Horizontal):
            return change.after > change.before, -1.0 if change.after < change.before else 1.0
        return False, self._catalogue.flavor(change.after).cpu - self._catalogue.flavor(change.before).cpu

    def _scale(self, fleet: Fleet, change: Horizontal, now_s: float) -> None:
        missing = change.after - len(fleet.held(change.flavor))
        for _ in range(missing):
            fleet.order(change.flavor, now_s)
        if missing < 0:
            fleet.stop(change.flavor, -missing, now_s)

    def _resize(self, fleet: Fleet, change: Vertical, now_s: float) -> str:
        for replica in fleet.held(change.before)[: change.count]:
            if replica.is_placed and not self.has_room(change.after, besides=replica.id):
                pool = self._catalogue.flavor(change.after).pool
                return f"pool {pool!r}: no room to resize {replica.id} to {change.after!r}"
            fleet.resize(replica, change.after, now_s)
        return ""
