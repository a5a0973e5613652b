"""Scales: demand put so that its errors are of one size, whatever its level.

Demand swings more the more there is of it. On a scale where it swings evenly, what is learned at one hour
holds at another, bursts are tame, and one spread of errors serves night and day.
"""

from dataclasses import dataclass

import numpy as np

from barista.values.series import FloatArray

LOG_FROM = 0.3
"""Share of the typical demand below which the logarithm is nearly straight."""
KINDS = ("plain", "root", "log")


@dataclass(frozen=True, slots=True)
class Scale:
    """A way of measuring demand: in multiples of `typical` (requests/s), their root, or their logarithm."""

    kind: str
    typical: float

    @staticmethod
    def of(values: FloatArray, kind: str) -> "Scale":
        """The scale `kind` for demand like `values` (requests/s, NaN where not seen)."""
        return Scale(kind, float(np.nanmean(values)) or 1.0)

    def apply(self, demand: FloatArray) -> FloatArray:
        """`demand` (requests/s) on this scale."""
        share = np.asarray(demand / self.typical)
        if self.kind == "root":
            share = np.sqrt(share)
        elif self.kind == "log":
            share = np.log1p(share / LOG_FROM)
        measured: FloatArray = share
        return measured

    def undo(self, measured: FloatArray) -> FloatArray:
        """Demand (requests/s, not below 0) from what it measures on this scale."""
        share = np.maximum(measured, 0.0)
        if self.kind == "root":
            share = share**2
        elif self.kind == "log":
            share = np.expm1(share) * LOG_FROM
        demand: FloatArray = share * self.typical
        return demand
