"""Pooling: replicas that share a queue serve more together than each would alone.

A planning problem is linear: a replica of a flavor serves the same rate whatever else is there. So its rate
is that of a replica among as many as the busiest step needs, and the demand of quieter steps, where fewer
replicas share less, is lifted by what each of those serves less. Whole replicas then cover a step of the
problem exactly when together they serve its demand within the SLO.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil

import numpy as np

from barista.ports.capacity import CapacityModel
from barista.values.profile import ExecutionProfile
from barista.values.service import DispatchRule, Slo


@dataclass(frozen=True, slots=True, eq=False)
class Pooling:
    """What replicas of one profile serve together, by their number, as far as was asked.

    Between the numbers that were worked out (1, 2, 3, 4, 6, 8, 12, …) rates are taken linearly.
    """

    capacity: CapacityModel
    profile: ExecutionProfile
    slo: Slo
    dispatch: DispatchRule
    _counts: list[int] = field(default_factory=lambda: [0])
    _rps: list[float] = field(default_factory=lambda: [0.0])

    def replicas_for(self, rps: float, most: int) -> float:
        """How many replicas serve `rps` together, as a fraction; past `most` each serves no more than there.

        ValueError when not even one request meets the SLO.
        """
        self._work_out(rps, most)
        if self._rps[1] <= 0:
            raise ValueError(f"{self.profile.model} on {self.profile.flavor}: cannot meet {self.slo}")
        count = float(np.interp(rps, self._rps, self._counts))
        if count < most and rps <= self._rps[-1]:
            return count
        return rps / self._each(max(1, most))

    def rps_each(self, rps: float, most: int) -> float:
        """Requests/s of each replica when as many are there as `rps` needs; 0 when none meets the SLO."""
        self._work_out(rps, most)
        if self._rps[1] <= 0:
            return 0.0
        return self._each(min(max(1, ceil(self.replicas_for(rps, most) - 1e-9)), max(1, most)))

    def _each(self, count: int) -> float:
        return float(np.interp(count, self._counts, self._rps)) / count

    def _work_out(self, rps: float, most: int) -> None:
        while len(self._counts) == 1 or (self._counts[-1] < most and 0 < self._rps[-1] < rps):
            count = _next(self._counts[-1])
            self._counts.append(count)
            self._rps.append(self.capacity.rps(self.profile, self.slo, self.dispatch, count))


@lru_cache(maxsize=20_000)
def pooling(capacity: CapacityModel, profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule) -> Pooling:
    """What replicas of `profile` serve together: worked out once, from cycle to cycle."""
    return Pooling(capacity, profile, slo, dispatch)


def _next(count: int) -> int:
    """The number after `count`: steps of one at first, then of a half and a third of what is there."""
    return count + max(1, 2 ** (count.bit_length() - 2) if count > 1 else 1)
