"""Fair share: a fixed total of replicas, split equally over the services, whatever comes."""

from dataclasses import dataclass

from barista.policies.counting import Look

NAME = "fair-share"


@dataclass(frozen=True, slots=True)
class FairShare:
    """The rule: `total` over `services`, rounded down."""

    total: int
    services: int

    def __call__(self, _look: Look, /) -> tuple[int, str]:
        """The same count for every service."""
        return self.total // self.services, f"{self.total} over {self.services} services"
