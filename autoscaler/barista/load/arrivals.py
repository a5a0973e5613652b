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


def counted_arrivals(counted: Demand, seed: int) -> FloatArray:
    """Arrival times of the requests that were `counted`, ascending, shape (n,), on its clock.

    Within its step each falls anywhere alike, as those of a Poisson process do once their number is
    known. In a gap, of which nothing is known, none come.
    """
    chance = np.random.default_rng(seed)
    counts = np.round(np.nan_to_num(counted.values) * counted.step_s).astype(np.int64)
    starts_s = np.repeat(counted.times_s(), counts)
    return np.sort(starts_s + chance.uniform(0.0, counted.step_s, len(starts_s)))


def counts_at(rates: Demand, factor: float, seed: int) -> Demand:
    """What would have been counted at `factor` times the `rates`: Poisson; as it was at a factor of 1."""
    if factor == 1:
        return rates
    chance, gaps = np.random.default_rng(seed), np.isnan(rates.values)
    counts = chance.poisson(np.where(gaps, 0.0, rates.values) * factor * rates.step_s)
    return Demand(rates.start_s, rates.step_s, np.where(gaps, np.nan, counts / rates.step_s))
