"""Flavors: the resource configurations a replica can have, and the node pools that hold them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from barista.values.replica import Counts

Resource = Literal["cpu", "memory_gib", "gpu"]
RESOURCES: tuple[Resource, ...] = ("cpu", "memory_gib", "gpu")


@dataclass(frozen=True, slots=True)
class Pool:
    """A node pool: vCPU, GiB of memory and GPU devices that its replicas share."""

    name: str
    cpu: float
    memory_gib: float
    gpu: float = 0.0

    def amount(self, resource: Resource) -> float:
        """How much of `resource` the pool has."""
        return float(getattr(self, resource))


@dataclass(frozen=True, slots=True)
class Flavor:
    """A resource configuration of a replica and its price.

    Flavors of one `family` share the number of model workers, so a replica can be resized in
    place from one to another; a flavor without a family stands alone under its own name.
    """

    name: str
    pool: str
    cpu: float
    memory_gib: float
    cost_per_hour: float
    gpu: float = 0.0
    family: str = ""

    def __post_init__(self) -> None:
        if not self.family:
            object.__setattr__(self, "family", self.name)

    def amount(self, resource: Resource) -> float:
        """How much of `resource` one replica holds."""
        return float(getattr(self, resource))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The operator's pools and flavors, by name."""

    pools: Mapping[str, Pool]
    flavors: Mapping[str, Flavor]

    def __post_init__(self) -> None:
        for flavor in self.flavors.values():
            if flavor.pool not in self.pools:
                raise ValueError(
                    f"flavor {flavor.name!r}: no such pool {flavor.pool!r};"
                    f" known: {', '.join(sorted(self.pools))}"
                )

    def flavor(self, name: str) -> Flavor:
        """The flavor called `name`; KeyError names the known ones."""
        try:
            return self.flavors[name]
        except KeyError:
            known = ", ".join(sorted(self.flavors)) or "none"
            raise KeyError(f"flavor {name!r}: no such flavor; known: {known}") from None

    def workers(self, name: str) -> int:
        """Model workers of a replica: the ceiling of the largest cpu in its flavor's family."""
        family = self.flavor(name).family
        largest = max(f.cpu for f in self.flavors.values() if f.family == family)
        return max(1, math.ceil(largest))

    def same_family(self, one: str, other: str) -> bool:
        """Whether a replica can change from flavor `one` to `other` in place.

        Replicas outlive the operator's changes: a flavor that has left the catalogue has no family.
        """
        known = one in self.flavors and other in self.flavors
        return known and self.flavor(one).family == self.flavor(other).family

    def moves_in_place(self, current: Counts, wanted: Counts) -> tuple[tuple[str, str, int], ...]:
        """(from, to, count) of the replicas that become others of their family in place.

        What stays as it is does not move; of the rest, the smallest become the smallest wanted.
        """
        names = sorted({*current, *wanted} & {*self.flavors}, key=lambda name: (self.flavors[name].cpu, name))
        delta = {name: wanted.get(name, 0) - current.get(name, 0) for name in names}
        moves = []
        for before in names:
            for after in names:
                count = min(-delta[before], delta[after])
                if count > 0 and self.same_family(before, after):
                    moves.append((before, after, count))
                    delta[before] += count
                    delta[after] -= count
        return tuple(moves)

    def cost_per_hour(self, counts: Counts) -> float:
        """What `counts` cost; flavors that have left the catalogue have no price."""
        return sum(n * self.flavors[name].cost_per_hour for name, n in counts.items() if name in self.flavors)
