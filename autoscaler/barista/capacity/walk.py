"""Waiting times where service takes a fixed time: the deterministic end of every queue.

Served in order of arrival by s servers that all take the time 1, customers take the servers in turn; so
each server sees every s-th arrival of a Poisson stream, an E_s/D/1 queue, and M/D/s waits no
longer (Crommelin 1932). The same holds when replicas are taken in turn by rule. A waiting time in a queue
of one server is the maximum of a random walk with the steps service - interarrival time, whose
distribution Spitzer's identity gives in one pass of the fast Fourier transform (Ackroyd 1980).
"""

import math

import numpy as np

from barista.values.series import FloatArray

FEWEST_CELLS, MOST_NEEDED = 16, 64
"""Cells of the lattice in one service time: at least, and where waiting is about as long as service."""
LONGEST = 2**18
"""Cells of the lattice in all, at most."""


def deterministic_tail(servers: int, utilisation: float) -> tuple[FloatArray, FloatArray]:
    """Times t (in service times) and P(W > t) in M/D/`servers` at `utilisation` below 1.

    Both of shape (n,), ascending in t from half a lattice cell.
    """
    scale = 0.5 / (servers * (1 - utilisation)) + 1 / servers
    cells = math.ceil(max(FEWEST_CELLS, 12 / scale, MOST_NEEDED / max(1.0, scale / 2)))
    # The walk rises by a dozen scales and falls as far as interarrival times reach.
    reach = 18 * scale + 2 + (1 + 12 / math.sqrt(servers)) / utilisation
    length = min(LONGEST, 2 ** math.ceil(math.log2(2 * reach * cells)))
    at = np.arange(length // 2) / cells
    rate = servers * utilisation
    rate *= utilisation * float(at @ _erlang(at, servers, rate))
    # Tilted to where its generating function is least, the walk loses mass with every step: the series of
    # the logarithm dies out in both directions, and its upward half is the walk's way to new maxima.
    tilt = servers * (1 - utilisation)
    step = np.zeros(length)
    step[(cells - np.arange(length // 2)) % length] = _erlang(at, servers, rate) * np.exp(tilt * (1 - at))
    series = np.fft.irfft(np.log1p(-np.fft.rfft(step)), length)
    series[0] = 0.0
    series[length // 2 :] = 0.0
    maxima = np.fft.irfft(np.exp(-np.fft.rfft(series)), length)[: length // 2]
    tail = np.cumsum((np.maximum(maxima, 0.0) * np.exp(-tilt * at))[::-1])[::-1]
    return at[:-1] + 0.5 / cells, tail[1:] / tail[0]


def _erlang(at: FloatArray, stages: int, rate: float) -> FloatArray:
    """Erlang's distribution (sum of `stages` exponentials of `rate`) on the lattice `at`, from 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_density = (stages - 1) * np.log(at) - rate * at if stages > 1 else -rate * at
    density: FloatArray = np.exp(log_density - np.max(log_density[1:]))
    density[0] = density[0] / 2 if stages == 1 else 0.0
    total: float = density.sum()
    density /= total
    return density
