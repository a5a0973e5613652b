"""How sure a measured percentile is: bounds from the order of the samples, whatever their distribution.

Of n samples, the number below the true p-quantile is binomial (n, p). So the quantile lies between two of
the ordered samples with a probability that is known without assuming a family (Hahn & Meeker, Statistical
Intervals, 1991). Samples that follow closely on each other are alike; then the bounds are somewhat narrow.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from barista.values.profile import Interval

CONFIDENCE = 0.95
SHOWN_LEVELS = (0.5, 0.9, 0.95, 0.99)


def intervals(samples_s: Sequence[float], levels: Iterable[float] = SHOWN_LEVELS) -> tuple[Interval, ...]:
    """Confidence bounds of the quantiles at `levels`; one that the samples are too few for is left out."""
    ordered = np.sort(np.asarray(samples_s, dtype=float))
    found = ((level, _ranks(len(ordered), level)) for level in levels)
    return tuple(
        Interval(level, float(ordered[low]), float(ordered[high]))
        for level, (low, high) in found
        if low >= 0 and high < len(ordered)
    )


def _ranks(samples: int, level: float) -> tuple[int, int]:
    """Places (from 0) of the ordered samples that bound the quantile; out of range where none does."""
    if samples == 0:
        return -1, 0
    below = np.arange(samples + 1)
    log_choose = [math.lgamma(samples + 1) - math.lgamma(k + 1) - math.lgamma(samples - k + 1) for k in below]
    cumulative = np.cumsum(
        np.exp(np.array(log_choose) + below * math.log(level) + (samples - below) * math.log1p(-level))
    )
    miss = (1 - CONFIDENCE) / 2
    low = int(np.searchsorted(cumulative, miss, side="right")) - 1
    high = int(np.searchsorted(cumulative, 1 - miss, side="left"))
    return low, high
