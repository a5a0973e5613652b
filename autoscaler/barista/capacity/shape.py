"""Shapes of the service time: what a queueing model takes a measured distribution to be.

Measured as it is (M/G/c), of its mean and never another (M/D/c), or exponential (M/M/c).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from barista.values.profile import Distribution
from barista.values.series import FloatArray

PIECES = 8
"""Points within each stretch between two known quantiles."""
_EXPONENTIAL_TAIL = 1e-5


class Shape(StrEnum):
    """What service times are taken to be."""

    MEASURED = "measured"
    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, eq=False)
class ServiceTime:
    """A service time as weighted points (s), with its mean (s) and squared coefficient of variation."""

    times_s: FloatArray
    weights: FloatArray
    mean_s: float
    scv: float

    @staticmethod
    def of(distribution: Distribution, shape: Shape, edge_s: float) -> "ServiceTime":
        """`distribution` taken as `shape`; no point stands for times on both sides of `edge_s`."""
        levels, values = _quantiles(distribution, shape)
        if values[0] < edge_s < values[-1]:
            at = int(np.searchsorted(values, edge_s))
            levels = np.insert(levels, at, np.interp(edge_s, values, levels))
            values = np.insert(values, at, edge_s)
        within = (np.arange(PIECES) + 0.5) / PIECES
        times = (values[:-1, None] + np.diff(values)[:, None] * within).ravel()
        weights = np.repeat(np.diff(levels) / PIECES, PIECES)
        mean = float(times @ weights)
        return ServiceTime(
            times, weights, mean, float((times / mean) ** 2 @ weights) - 1 if mean > 0 else 0.0
        )

    def share_within(self, bound_s: float) -> float:
        """The share of requests that take at most `bound_s`."""
        return float(self.weights[self.times_s <= bound_s].sum())


def _quantiles(distribution: Distribution, shape: Shape) -> tuple[FloatArray, FloatArray]:
    if shape is Shape.FIXED:
        return np.array([0.0, 1.0]), np.full(2, distribution.mean_s)
    if shape is Shape.EXPONENTIAL:
        above = np.geomspace(1.0, _EXPONENTIAL_TAIL, 60)
        return 1 - above, -distribution.mean_s * np.log(above)
    levels = np.array([0.0, *distribution.levels, 1.0])
    return levels, np.array([distribution.values_s[0], *distribution.values_s, distribution.values_s[-1]])
