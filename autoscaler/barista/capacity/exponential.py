"""Waiting times where service times are exponential: the other end, known in closed form.

In GI/M/s whoever must wait does so for an exponential time; with Poisson arrivals (M/M/s) they are as many as
Erlang's C formula says, with every c-th arrival of a Poisson stream (E_c/M/s: replicas taken in turn)
as many as Takács found (Gross et al., Fundamentals of Queueing Theory, 4th ed., 5.3).
"""

import math
from dataclasses import dataclass

RARE = 1e-9
"""Chances below this are not told from none: the sums for them would be of rounding errors."""


@dataclass(frozen=True, slots=True)
class ExponentialWait:
    """P(W > t) = `delayed` * exp(-`rate` * t), t in mean service times."""

    delayed: float
    rate: float


def central_wait(servers: int, utilisation: float) -> ExponentialWait:
    """M/M/`servers` at `utilisation` below 1: Erlang's C formula."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = servers * utilisation * blocked / (n + servers * utilisation * blocked)
    delayed = blocked / (1 - utilisation * (1 - blocked))
    return ExponentialWait(delayed, servers * (1 - utilisation))


def in_turn_wait(replicas: int, workers: int, utilisation: float) -> ExponentialWait:
    """E_`replicas`/M/`workers` at `utilisation` below 1: one of replicas that are taken in turn."""
    stage_rate = replicas * workers * utilisation

    def transform(x: float) -> float:
        return math.exp(-replicas * math.log1p(x / stage_rate))

    low, high = 0.0, 1.0 - 1e-12
    for _ in range(60):
        sigma = (low + high) / 2
        low, high = (sigma, high) if transform(workers * (1 - sigma)) > sigma else (low, sigma)
    rate = workers * (1 - sigma)
    if sigma < RARE:
        return ExponentialWait(sigma, rate)
    met = 1 / (1 - sigma)
    product = 1.0
    for j in range(1, workers + 1):
        seen = transform(j)
        product *= seen / (1 - seen)
        # Where the rate is j, numerator and denominator vanish together: their ratio is taken beside it.
        at = j if abs(rate - j) > 1e-6 else j + 1e-4
        ratio = (workers * (1 - transform(at)) - at) / (rate - at)
        met += math.comb(workers, j) / (product * (1 - seen)) * ratio
    return ExponentialWait(1 / ((1 - sigma) * met), rate)
