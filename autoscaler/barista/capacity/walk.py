"""Waiting times before one server whose customers are every c-th of a Poisson stream (E_c/G/1).

That is what a replica sees of c that are taken in turn. It is also exact for c servers with one queue where
service takes a fixed time: served in order of arrival, customers take the servers in turn (Crommelin 1932). A
waiting time is the maximum of a random walk with the steps service - interarrival time, whose
distribution Spitzer's identity gives in one pass of the fast Fourier transform (Ackroyd 1980).
"""

import math

import numpy as np

from barista.capacity.shape import ServiceTime
from barista.values.series import FloatArray

FEWEST_CELLS, MOST_NEEDED = 16, 64
"""Cells of the lattice in one service time: at least, and where waiting is about as long as service."""
LONGEST = 2**18
"""Cells of the lattice in all, at most."""


def walk_tail(service: ServiceTime, every: int, utilisation: float) -> tuple[FloatArray, FloatArray]:
    """Times t (in mean service times) and P(W > t) of one server at `utilisation` below 1.

    `every` is the c above. Both of shape (n,), ascending in t from half a lattice cell.
    """
    scale = 0.5 * (1 / every + service.scv) / (1 - utilisation) + 1 / every
    cells = math.ceil(max(FEWEST_CELLS, 12 / scale, MOST_NEEDED / max(1.0, scale / 2)))
    # The walk rises by a dozen scales and falls as far as interarrival times reach.
    longest = float(service.times_s.max()) / service.mean_s
    reach = 18 * scale + 1 + longest + (1 + 12 / math.sqrt(every)) / utilisation
    length = min(LONGEST, 2 ** math.ceil(math.log2(2 * reach * cells)))
    at = np.arange(length // 2) / cells
    rate = every * utilisation
    rate *= utilisation * float(at @ _erlang(at, every, rate))
    # Tilted to where its generating function is least, the walk loses mass with every step: the series of
    # the logarithm dies out in both directions, and its upward half is the walk's way to new maxima.
    tilt = _tilt(service, every, every * utilisation)
    upward = tilt * (np.minimum(at, longest + 1) - 1)
    rises = np.fft.rfft(_on_lattice(service, at) * np.exp(upward), length)
    falls = np.fft.rfft(_erlang(at, every, rate) * np.exp(tilt * (1 - at)), length)
    series = np.fft.irfft(np.log1p(-rises * falls.conj()), length)
    series[0] = 0.0
    series[length // 2 :] = 0.0
    maxima = np.fft.irfft(np.exp(-np.fft.rfft(series)), length)[: length // 2]
    tail = np.cumsum((np.maximum(maxima, 0.0) * np.exp(-tilt * at))[::-1])[::-1]
    return at[:-1] + 0.5 / cells, tail[1:] / tail[0]


def _tilt(service: ServiceTime, every: int, rate: float) -> float:
    """Where the generating function of a step is least."""
    points = service.times_s / service.mean_s
    low, high = 0.0, every - rate
    for _ in range(40):
        tilt = (low + high) / 2
        weights = service.weights * np.exp(tilt * (points - points.max()))
        low, high = (tilt, high) if points @ weights / weights.sum() < every / (rate + tilt) else (low, tilt)
    return (low + high) / 2


def _on_lattice(service: ServiceTime, at: FloatArray) -> FloatArray:
    """The service time in means; what lies between two points goes to both, so its mean is kept."""
    where = service.times_s / service.mean_s / at[1]
    below = np.minimum(where.astype(np.int64), len(at) - 2)
    above = np.minimum(where - below, 1.0)
    both = np.concatenate([below, below + 1])
    shares = np.concatenate([service.weights * (1 - above), service.weights * above])
    lattice: FloatArray = np.bincount(both, shares, len(at)).astype(float)
    return lattice


def _erlang(at: FloatArray, stages: int, rate: float) -> FloatArray:
    """Erlang's distribution (sum of `stages` exponentials of `rate`) on the lattice `at`, from 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_density = (stages - 1) * np.log(at) - rate * at if stages > 1 else -rate * at
    density: FloatArray = np.exp(log_density - np.max(log_density[1:]))
    density[0] = density[0] / 2 if stages == 1 else 0.0
    total: float = density.sum()
    density /= total
    return density
