"""What pauses do to a server under a cpu quota: even its times out, and let the next requests pass sooner.

Service times are measured with a request always at work. A quota stops the server once what it may use within
a period is used up, which makes one request long and the next ones short: their times vary, their sums hardly
do, and it is sums that those who wait go by. How much less sums vary than those of independent times is
their dispersion (the index of dispersion of intervals; Sriram & Whitt 1986).

Requests that come by chance leave pauses, in which quota gathers. How much sooner they are then answered than
by a queue of such service times, met by the same arrivals, is a time that hardly depends on the load: at most
a period's. Where it is negative, an open loop costs more than the service times show.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from barista.values.profile import Distribution
from barista.values.series import FloatArray

TOGETHER = 16
"""Requests in a row whose sum is looked at."""
EVEN = 0.4
"""Dispersions above this may be chance, with some hundred times, and are taken as 1."""
DRAWS = 20
"""Queues that are played, each with service times of its own."""


def dispersion(times_s: Sequence[float]) -> float:
    """The variance of sums of `times_s` in a row over that of independent ones; 1 unless clearly less."""
    times = np.asarray(times_s, dtype=float)
    if len(times) < 4 * TOGETHER or times.var() == 0:
        return 1.0
    sums = np.convolve(times, np.ones(TOGETHER), mode="valid")
    found = float(sums.var() / (TOGETHER * times.var()))
    return found if found < EVEN else 1.0


def ahead_s(due_s: Sequence[float], stayed_s: Sequence[float], service: Distribution, workers: int) -> float:
    """Seconds that requests due at `due_s` stayed less, on average, than in a queue before `workers`."""
    chance = np.random.default_rng(0)
    levels = (np.arange(len(due_s)) + 0.5) / len(due_s)
    times_s = np.interp(levels, service.levels, service.values_s)
    foretold = [_mean_stay_s(due_s, chance.permutation(times_s), workers) for _ in range(DRAWS)]
    return float(np.mean(foretold) - np.mean(stayed_s))


def _mean_stay_s(due_s: Sequence[float], times_s: FloatArray, workers: int) -> float:
    free_s = [0.0] * workers
    stays_s = 0.0
    for due, time_s in zip(due_s, times_s.tolist(), strict=True):
        end_s = max(due, free_s[0]) + time_s
        heapq.heapreplace(free_s, end_s)
        stays_s += end_s - due
    return stays_s / len(due_s)
