"""Room: what the placed replicas of all services hold of the pools they share."""

from collections import Counter

from barista.values.flavor import RESOURCES, Catalogue

TOLERANCE = 1e-9
"""How far above its capacity a pool may be filled, in units of the resource (rounding of sums)."""


class Room:
    """Counts placed replicas by flavor; sums made anew from counts do not drift, however long a run."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._placed: Counter[str] = Counter()

    def take(self, flavor: str) -> None:
        """A replica of `flavor` is placed."""
        self._placed[flavor] += 1

    def give_back(self, flavor: str) -> None:
        """A placed replica of `flavor` is gone."""
        self._placed[flavor] -= 1

    def fits(self, flavor: str, instead_of: str | None = None) -> bool:
        """Whether one more replica of `flavor` has room, when one of `instead_of` makes room for it."""
        placed = self._placed.copy()
        placed[flavor] += 1
        if instead_of is not None:
            placed[instead_of] -= 1
        return self._is_enough(self._catalogue.flavor(flavor).pool, placed)

    def overfull(self) -> str | None:
        """The first pool that holds less than what is placed in it; None when there is none."""
        return next((name for name in self._catalogue.pools if not self._is_enough(name, self._placed)), None)

    def _is_enough(self, pool: str, placed: Counter[str]) -> bool:
        flavors = [(n, self._catalogue.flavor(name)) for name, n in placed.items()]
        return all(
            sum(n * flavor.amount(resource) for n, flavor in flavors if flavor.pool == pool)
            <= self._catalogue.pools[pool].amount(resource) + TOLERANCE
            for resource in RESOURCES
        )
