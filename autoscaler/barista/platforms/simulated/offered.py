"""The demand offered to a service, before and after the simulation began, on any step.

Before the start it is a given series, after it the arrivals themselves. Both are read through one
cumulative count of requests: the rate over an interval is the count's rise over it, and what lies
in a gap or was never seen is NaN, not zero.
"""

import math

import numpy as np

from barista.values.series import Demand, FloatArray


class Offered:
    """Demand as seen from the start of `past` on; `arrivals_s` follow from `start_s` on."""

    def __init__(self, past: Demand | None, arrivals_s: FloatArray, start_s: float) -> None:
        self._arrivals, self._start_s = arrivals_s, start_s
        # The same few steps are read with each look until another one is over.
        self._read = (0, 0, 0.0, Demand(start_s, 1.0, np.empty(0)))
        known = past.until(start_s) if past is not None else None
        self._edges = np.array([start_s])
        self._count, self._seen_s = np.zeros(1), np.zeros(1)
        if known is not None and len(known):
            seen = ~np.isnan(known.values)
            self._edges = np.append(known.times_s(), known.end_s)
            self._count = _cumulative(np.where(seen, known.values, 0.0) * known.step_s)
            self._seen_s = _cumulative(seen * known.step_s)

    def rate_rps(self, from_s: float, until_s: float) -> float:
        """Mean rate over what was seen of ``[from_s, until_s)``; NaN if nothing was."""
        if self._start_s <= from_s < until_s:
            came = self._arrivals.searchsorted(until_s, side="left")
            return float(came - self._arrivals.searchsorted(from_s, side="left")) / (until_s - from_s)
        edges = np.array([from_s, until_s])
        seen_s = np.diff(self._seen(edges))[0]
        return float(np.diff(self._requests(edges))[0] / seen_s) if seen_s > 0 else math.nan

    def series(self, start_s: float, end_s: float, step_s: float) -> Demand:
        """Mean rates on the grid of multiples of `step_s`: the steps within ``[start_s, end_s)``.

        A step that was not seen in whole is NaN; leading ones are left out.
        """
        first = math.ceil(max(start_s, self._edges[0]) / step_s - 1e-6)
        last = max(first, math.floor(end_s / step_s + 1e-6))
        if self._read[:3] != (first, last, step_s):
            self._read = first, last, step_s, self._series(first, last, step_s)
        return self._read[3]

    def _series(self, first: int, last: int, step_s: float) -> Demand:
        edges = np.arange(first, last + 1) * step_s
        rates = np.diff(self._requests(edges)) / step_s
        rates[np.diff(self._seen(edges)) < step_s * (1 - 1e-6)] = np.nan
        leading = int(np.argmax(~np.isnan(rates))) if not np.all(np.isnan(rates)) else len(rates)
        return Demand(float(edges[leading]), step_s, rates[leading:])

    def _requests(self, at_s: FloatArray) -> FloatArray:
        arrived = np.searchsorted(self._arrivals, at_s, side="left")
        return np.asarray(np.interp(at_s, self._edges, self._count) + arrived)

    def _seen(self, at_s: FloatArray) -> FloatArray:
        return np.asarray(np.interp(at_s, self._edges, self._seen_s) + np.maximum(0.0, at_s - self._start_s))


def _cumulative(amounts: FloatArray) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(amounts)))
