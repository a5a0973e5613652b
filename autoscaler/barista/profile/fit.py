"""Which family of distributions the measured times follow, and how closely.

The raw quantiles decide; a fitted family says in a few numbers what kind of times they are, and whether
a textbook's formula may be trusted with them. Of log-normal, gamma, Weibull and log-normal after a fixed
time, the one with the smallest Anderson-Darling statistic is kept: it weighs the tails, which
percentiles live in. Times that hardly vary are called fixed.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from barista.values.profile import Fit
from barista.values.series import FloatArray

FEWEST = 20
"""Samples below which no family is told from another."""
MOST = 2000
"""Samples beyond which an even choice of them is fitted: more do not change the family."""
STEADY = 0.02
"""Times of which 98 % lie within this share of the median are fixed."""
FIXED_SHARES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.999)
"""Shares of the shortest time that are tried as the fixed part."""

_Cdf = Callable[[FloatArray], FloatArray]


def best_fit(samples_s: Sequence[float]) -> Fit | None:
    """The family that fits best; None with too few samples, or where scipy is not installed."""
    ordered = np.sort(np.asarray(samples_s, dtype=float))
    if len(ordered) < FEWEST or ordered[0] <= 0:
        return None
    if len(ordered) > MOST:
        ordered = ordered[np.linspace(0, len(ordered) - 1, MOST).round().astype(int)]
    low, middle, high = np.quantile(ordered, (0.01, 0.5, 0.99))
    if high - low <= STEADY * middle:
        ks, ad = 0.5, 0.0
        return Fit("fixed", (("time_s", float(middle)),), ks, ad)
    try:
        fits = [
            Fit(family, parameters, *_distances(ordered, cdf))
            for family, parameters, cdf in _families(ordered)
        ]
    except ImportError:
        return None
    return min(fits, key=lambda fit: fit.ad)


def _families(ordered: FloatArray) -> Iterator[tuple[str, tuple[tuple[str, float], ...], _Cdf]]:
    from scipy import stats  # type: ignore[import-untyped]  # noqa: PLC0415  # no stubs; heavy

    for share in (0.0, *FIXED_SHARES):
        fixed_s = share * float(ordered[0])
        logs = np.log(ordered - fixed_s)
        mu, sigma = float(logs.mean()), float(logs.std())
        law = stats.lognorm(sigma, loc=fixed_s, scale=np.exp(mu))
        if share:
            yield "shifted log-normal", (("fixed_s", fixed_s), ("mu", mu), ("sigma", sigma)), law.cdf
        else:
            yield "log-normal", (("mu", mu), ("sigma", sigma)), law.cdf
    for family, kind in (("gamma", stats.gamma), ("weibull", stats.weibull_min)):
        shape, _, scale_s = kind.fit(ordered, floc=0)
        yield family, (("shape", float(shape)), ("scale_s", float(scale_s))), kind(shape, scale=scale_s).cdf


def _distances(ordered: FloatArray, cdf: _Cdf) -> tuple[float, float]:
    """The Kolmogorov-Smirnov distance and the Anderson-Darling statistic of samples in order."""
    n = len(ordered)
    at = np.clip(cdf(ordered), 1e-12, 1 - 1e-12)
    rank = np.arange(n)
    ks = float(max(np.max((rank + 1) / n - at), np.max(at - rank / n)))
    ad = float(-n - np.mean((2 * rank + 1) * (np.log(at) + np.log1p(-at[::-1]))))
    return ks, ad
