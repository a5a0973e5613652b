"""CapacityModel: what says how many requests/s replicas serve within an SLO."""

from typing import Protocol

from barista.values.profile import ExecutionProfile
from barista.values.service import DispatchRule, Slo


class CapacityModel(Protocol):
    """Says what replicas of one profile serve within an SLO. A value: what it says is kept."""

    def __hash__(self) -> int:
        """The same for equal models."""
        ...

    def rps(self, profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule, replicas: int) -> float:
        """Requests/s that `replicas` serve together within `slo`; 0 when even one request is too slow.

        Each of more replicas serves at least as much as each of fewer.
        """
        ...
