"""Gaps: steps that nobody saw, filled so that one gap costs no more than its own steps.

A gap is not zero demand. The model behind needs a number in its place: the value a season earlier,
or the one before it. What was filled is never counted as an outcome.
"""

import numpy as np

from barista.values.series import Demand, FloatArray


def filled(values: FloatArray, seasons: tuple[int, ...]) -> FloatArray:
    """`values`, shape (n,), NaN replaced by the value `seasons` steps earlier, the longest tried first.

    What no season reaches repeats the value before it; NaN at the start takes the first value seen.
    """
    if len(values) and np.isfinite(values).all():
        return values
    out, n = values.copy(), len(values)
    for season in sorted(seasons, reverse=True):
        for back in range(season, n, season):
            gaps = np.flatnonzero(np.isnan(out))
            gaps = gaps[gaps >= back]
            if not len(gaps):
                break
            out[gaps] = values[gaps - back]
    known = np.flatnonzero(np.isfinite(out))
    if not len(known):
        raise ValueError(f"demand of {n} steps holds no value: need one")
    before = known[np.maximum(np.searchsorted(known, np.arange(n), side="right") - 1, 0)]
    return np.where(np.isnan(out), out[before], out)


def trimmed(demand: Demand) -> Demand:
    """`demand` from the first value that was seen."""
    seen = np.flatnonzero(np.isfinite(demand.values))
    return demand.last(len(demand) - int(seen[0])) if len(seen) else demand.last(0)


def followed_by(demand: Demand, new_values: Demand) -> FloatArray:
    """The steps of `new_values` beyond the end of `demand`, with NaN for steps skipped in between."""
    skipped = round((new_values.start_s - demand.end_s) / demand.step_s)
    return np.concatenate([np.full(max(skipped, 0), np.nan), new_values.values[max(-skipped, 0) :]])
