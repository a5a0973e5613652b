"""Level: how far to close each of many gaps, so that together they are no more than what is left.

Gaps are closed at very different expense, and the last bit of each is the dearest. So all are closed to
one level, as water finds it: what is below stays as it is.
"""

import numpy as np
import numpy.typing as npt


def level(gaps: npt.NDArray[np.float64], left: float) -> float:
    """The level at which the sum of ``min(gap, level)`` over all `gaps` (n) is `left`.

    Infinity where they are no more than that as they are, or where nothing is left.
    """
    rising = np.sort(gaps)
    below = np.concatenate([[0.0], np.cumsum(rising)])[:-1]
    shares = (left - below) / np.arange(len(rising), 0, -1)
    fits = shares <= rising
    return float(shares[np.argmax(fits)]) if left > 0 and fits.any() else np.inf
