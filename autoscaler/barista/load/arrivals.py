"""Arrivals: when single requests come, given the rate at which they come on average.

Users act independently of each other, so arrivals are a Poisson process whose rate follows the
demand: the number in a step is Poisson distributed, and each falls anywhere in its step alike
(Ross, Introduction to Probability Models, 5.3 and 5.4). It is this chance, not only the trend,
that a service must absorb.
"""

import numpy as np

from barista.values.series import Demand, FloatArray


def poisson_arrivals(rates: Demand, seed: int) -> FloatArray:
    """Arrival times of one realisation of `rates`, ascending, shape (n,), on the clock of `rates`.

    The same `seed` gives the same times. ValueError when a rate is negative or NaN.
    """
    if not (rates.values >= 0).all():
        at = int(np.flatnonzero(~(rates.values >= 0))[0])
        raise ValueError(f"arrivals: rate {rates.values[at]} in step {at}: need a number of at least 0")
    chance = np.random.default_rng(seed)
    counts = chance.poisson(rates.values * rates.step_s)
    starts_s = np.repeat(rates.times_s(), counts)
    return np.sort(starts_s + chance.uniform(0.0, rates.step_s, len(starts_s)))
