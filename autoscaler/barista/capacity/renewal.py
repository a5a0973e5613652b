"""Waiting in one queue before several servers, for service times of any law.

Who must wait does so until the first of the servers is done, each caught somewhere in a service, and then for
those ahead, whom all servers together serve like one that is as many times as fast. The first is the least
of as many residual service times; how many are ahead is geometric, and each of them takes a residual of
the fast server's (Tijms, van Hoorn & Federgruen 1981; Tijms, A First Course in Stochastic Models, 2003,
section 9.6.2). That is exact for one server (Pollaczek & Khinchine) and for exponential service. The sum
is taken on a lattice by one fast Fourier transform, damped so that what lies beyond it does not wrap.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from barista.capacity.shape import ServiceTime
from barista.values.series import FloatArray

ComplexArray = npt.NDArray[np.complex128]

CELLS, WITHIN = 1024, 8
"""Cells of the lattice up to the longest wait that is asked for, and points looked at within a cell."""
_WRAPPED = 1e-8
"""What the transform makes of the mass beyond twice the lattice."""


@dataclass(frozen=True, slots=True, eq=False)
class Renewal:
    """The two transforms that the wait is made of; `times`, in mean service times, lie between its points."""

    times: FloatArray
    first: ComplexArray
    ahead: ComplexArray
    damping: FloatArray

    def tail(self, utilisation: float) -> FloatArray:
        """P(W > t) of those who must wait, for the `times` t; shape (n,)."""
        transform = (1 - utilisation) * self.first / (1 - utilisation * self.ahead)
        masses = np.fft.irfft(transform, 2 * CELLS)[:CELLS] / self.damping
        tail: FloatArray = np.clip(1 - np.cumsum(masses), 0.0, 1.0)
        return tail


@lru_cache(maxsize=64)
def renewal(service: ServiceTime, servers: int, longest: float) -> Renewal:
    """What is waited before `servers` up to about `longest` mean service times, at any utilisation."""
    cell = longest / CELLS
    damping = _WRAPPED ** (np.arange(CELLS) / (2 * CELLS))

    def transformed(tail: FloatArray) -> ComplexArray:
        # Between lattice points mass goes to both, the more to the nearer: a coarse lattice loses no mean.
        masses = -np.diff(tail.reshape(CELLS, WITHIN).mean(axis=1), prepend=1.0)
        transform: ComplexArray = np.fft.rfft(masses * damping, 2 * CELLS)
        return transform

    times = (np.arange(CELLS * WITHIN) + 0.5) * cell / WITHIN
    first, ahead = _residual(service, times) ** servers, _residual(service, times * servers)
    return Renewal((np.arange(CELLS) + 0.5) * cell, transformed(first), transformed(ahead), damping)


def _residual(service: ServiceTime, times: FloatArray) -> FloatArray:
    """P(R > t), R being what is left of a service that is looked at some time within it."""
    order = np.argsort(service.times_s)
    points, weights = service.times_s[order] / service.mean_s, service.weights[order]
    longer = np.append(np.cumsum(weights[::-1])[::-1][1:], 0.0)
    # Between two points of the law the same share of services is longer, so the tail falls evenly.
    tail = np.append(np.cumsum((longer[:-1] * np.diff(points))[::-1])[::-1], 0.0)
    return np.interp(times, np.append(0.0, points), np.append(1.0, tail))
