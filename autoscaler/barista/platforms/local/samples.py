"""Samples: rates from a counter's raw samples, each with its own time. Pure.

A rate is taken over the time between two samples, so nothing is extrapolated: it is right for the first
seconds of a series as for any others. Where the counter went back, its process was restarted; what it
had counted before that is not known, so the interval is left out rather than read as few arrivals.
"""

from dataclasses import dataclass

import numpy as np

from barista.values.series import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one series, oldest first; both arrays have shape (n,), n >= 1."""

    at_s: FloatArray
    values: FloatArray

    @property
    def newest_s(self) -> float:
        """When the newest sample was taken."""
        return float(self.at_s[-1])

    def last(self) -> float:
        """The newest value."""
        return float(self.values[-1])

    def mean(self, window_s: float) -> float:
        """Mean value over the window that ends with the newest sample."""
        return float(self.values[self._since(window_s) :].mean())

    def rate(self, window_s: float) -> float | None:
        """Increase per second over the window that ends with the newest sample; None when nothing tells."""
        first = self._since(window_s)
        increases, seconds = np.diff(self.values[first:]), np.diff(self.at_s[first:])
        counted = increases >= 0
        if not counted.any():
            return None
        return float(increases[counted].sum() / seconds[counted].sum())

    def _since(self, window_s: float) -> int:
        """Index of the sample nearest to the start of the window."""
        return int(np.argmin(np.abs(self.at_s - (self.at_s[-1] - window_s))))


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """A counter at the n boundaries of steps, and when each count was sampled; NaN where it was not."""

    counts: FloatArray
    sampled_at_s: FloatArray

    @staticmethod
    def unknown(n: int) -> "Boundaries":
        """`n` boundaries to be filled in."""
        return Boundaries(np.full(n, np.nan), np.full(n, np.nan))

    def rates(self, boundaries_s: FloatArray, near_s: float) -> FloatArray:
        """Increase per second of each step, shape (n - 1,).

        NaN where a count is older than `near_s` at its boundary, or the counter stood still in time or
        went back.
        """
        near = boundaries_s - self.sampled_at_s <= near_s
        increases = np.diff(np.where(near, self.counts, np.nan))
        seconds = np.diff(self.sampled_at_s)
        known = (increases >= 0) & (seconds > 0)
        return np.divide(increases, seconds, out=np.full(len(increases), np.nan), where=known)
