"""Waiting times by dispatch rule, utilisation and variability of the service times.

Between the two ends that are known exactly, service times that never vary and exponential ones, the
time exceeded with a given probability is taken linearly in the squared coefficient of variation
(Tijms, A First Course in Stochastic Models, 2003, section 9.6.2). Everything is in mean service times, so a
table serves every model; it is made at its first use.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from barista.capacity.exponential import ExponentialWait, central_wait, in_turn_wait
from barista.capacity.two_choices import exponential_tail, fixed_tails
from barista.capacity.walk import deterministic_tail
from barista.values.series import FloatArray
from barista.values.service import DispatchRule

UTILISATIONS: FloatArray = np.concatenate([np.geomspace(0.005, 0.2, 9), 1 - np.geomspace(0.76, 0.003, 36)])
EXCEEDED: FloatArray = np.geomspace(1.0, 1e-5, 80)
"""Probabilities with which the tabulated waiting times are exceeded."""
NEVER = 1e-6
"""Who must wait with a smaller probability does not wait."""
JOIN_FIXED, JOIN_EXPONENTIAL = 2.0, 1.5
"""The norms in which waiting in a central queue and behind unequal replicas are joined."""


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """Waiting times exceeded with probability EXCEEDED at UTILISATIONS, in mean service times.

    Both tables of shape (utilisations, probabilities).
    """

    fixed: FloatArray
    exponential: FloatArray

    def row(self, utilisation: int, scv: float) -> FloatArray:
        """Row `utilisation` for service times of squared coefficient of variation `scv`."""
        mixed: FloatArray = (1 - scv) * self.fixed[utilisation] + scv * self.exponential[utilisation]
        return np.maximum.accumulate(np.maximum(mixed, 0.0))


@lru_cache(maxsize=1024)
def waits(dispatch: DispatchRule, replicas: int, workers: int) -> Waits:
    """Waiting before `replicas` that work on `workers` requests each, under Poisson arrivals."""
    if dispatch is DispatchRule.RANDOM:
        return waits(DispatchRule.LEAST_LOADED, 1, workers)
    if dispatch is DispatchRule.ROUND_ROBIN:
        in_turn = [in_turn_wait(replicas, workers, rho) for rho in UTILISATIONS]
        return Waits(_fixed(replicas * workers), np.array([_exceeded(wait) for wait in in_turn]))
    if dispatch is DispatchRule.TWO_CHOICES:
        return _with_imbalance(waits(DispatchRule.LEAST_LOADED, replicas, workers), replicas, workers)
    central = [central_wait(replicas * workers, rho) for rho in UTILISATIONS]
    return Waits(_fixed(replicas * workers), np.array([_exceeded(wait) for wait in central]))


def _with_imbalance(central: Waits, replicas: int, workers: int) -> Waits:
    """What a central queue waits, joined with what one of two replicas waits among very many.

    Few replicas fill up together, many are unequal: one of the two is most of it, so they are added in a
    norm above 1. Norms and weight were fitted to simulated queues (`benchmarks.capacity` shows how well).
    """
    fixed, exponential = _imbalance(workers)
    weight = 1 - replicas**-2.0

    def joined(pooled: FloatArray, unequal: FloatArray, norm: float) -> FloatArray:
        both: FloatArray = (pooled**norm + (weight * unequal) ** norm) ** (1 / norm)
        return both

    return Waits(
        joined(central.fixed, fixed, JOIN_FIXED),
        joined(central.exponential, exponential, JOIN_EXPONENTIAL),
    )


@lru_cache(maxsize=64)
def _imbalance(workers: int) -> tuple[FloatArray, FloatArray]:
    times = np.concatenate([[0.0], np.geomspace(0.01, 30, 300)])
    one = _quantiles(times, np.array([exponential_tail(1, rho, times) for rho in UTILISATIONS]))
    fixed = _quantiles(times, _fixed_imbalance(tuple(times)))
    if workers == 1:
        return fixed, one
    more = _quantiles(times, np.array([exponential_tail(workers, rho, times) for rho in UTILISATIONS]))
    return fixed * np.divide(more, one, out=np.zeros_like(more), where=one > 0), more


@lru_cache(maxsize=1)
def _fixed_imbalance(times: tuple[float, ...]) -> FloatArray:
    return fixed_tails(UTILISATIONS, np.array(times))


def _quantiles(times: FloatArray, tails: FloatArray) -> FloatArray:
    """Times exceeded with probability EXCEEDED, a row for each row of `tails` P(W > t)."""
    log_tails = -np.log(np.maximum(tails, EXCEEDED[-1] / 10))
    return np.array([np.interp(-np.log(EXCEEDED), row, times, left=0.0) for row in log_tails])


@lru_cache(maxsize=256)
def _fixed(servers: int) -> FloatArray:
    """Waiting times in M/D/`servers`, and with replicas taken in turn."""
    rows = np.zeros((len(UTILISATIONS), len(EXCEEDED)))
    for row, rho in zip(rows, UTILISATIONS, strict=True):
        if central_wait(servers, rho).delayed > NEVER:
            times, tail = deterministic_tail(servers, float(rho))
            row[:] = _quantiles(times, tail[None])[0]
    return rows


def _exceeded(wait: ExponentialWait) -> FloatArray:
    exceeded: FloatArray = np.maximum(np.log(max(wait.delayed, NEVER) / EXCEEDED), 0.0) / wait.rate
    return exceeded
