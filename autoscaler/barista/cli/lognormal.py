"""A log-normal service time from the two figures that people know of it: its mean and 95th percentile."""

import math
from statistics import NormalDist

from barista.values.profile import Distribution

LEVELS = (*(k / 200 for k in range(199)), 0.995, 0.998, 0.999, 0.9995, 0.9999)


def lognormal(mean_s: float, p95_s: float) -> Distribution:
    """The log-normal distribution of that mean and 95th percentile.

    ValueError when there is none: the percentile must lie above the mean, by a factor below 3.87.
    """
    z = NormalDist().inv_cdf(0.95)
    apart = z * z - 2 * math.log(p95_s / mean_s) if 0 < mean_s < p95_s else -1.0
    if apart < 0:
        raise ValueError(f"no log-normal time has mean {mean_s:g} s and 95th percentile {p95_s:g} s")
    sigma = z - math.sqrt(apart)
    mu = math.log(mean_s) - sigma**2 / 2
    levels = [max(level, 1e-4) for level in LEVELS]
    return Distribution(
        LEVELS, tuple(math.exp(mu + sigma * NormalDist().inv_cdf(level)) for level in levels), mean_s
    )
