"""Waiting times by dispatch rule, utilisation and service time.

What a single worker waits for is known exactly from the whole law of the service time: Poisson arrivals
(`barista.capacity.renewal`), or replicas taken in turn (`barista.capacity.walk`). Several servers with one
queue come from the same law, put right by what is missed where service never varies, which is known too.
Where several workers share what comes to a replica in turn, two ends are known, fixed and exponential
service; between them the time exceeded with a given probability is taken linearly in the squared coefficient
of variation (Tijms, A First Course in Stochastic Models, 2003, section 9.6.2). Everything is in mean service
times; what holds for every model is kept.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from barista.capacity.exponential import ExponentialWait, central_wait, in_turn_wait
from barista.capacity.renewal import renewal
from barista.capacity.shape import ServiceTime
from barista.capacity.two_choices import Added, added
from barista.capacity.walk import walk_tail
from barista.values.series import FloatArray
from barista.values.service import DispatchRule

UTILISATIONS: FloatArray = np.concatenate([np.geomspace(0.005, 0.2, 9), 1 - np.geomspace(0.76, 0.003, 36)])
EXCEEDED: FloatArray = np.geomspace(1.0, 1e-5, 120)
"""Probabilities with which the tabulated waiting times are exceeded."""
NEVER = 1e-6
"""Who must wait with a smaller probability does not wait."""
BEYOND = 0.25
"""Times are cut where the lattice ends: so much beyond what is asked, which is more than is missed there."""
MOST_SCALES = 12
"""As many times longer than a wait usually is are the longest that are told apart."""

FIXED = ServiceTime(np.ones(1), np.ones(1), 1.0, 0.0)
"""A service time that never varies."""


class Waits(Protocol):
    """Waiting times at UTILISATIONS, in mean service times."""

    def exceeding(self, row: int, service: ServiceTime, slack: FloatArray) -> FloatArray:
        """P(W > slack) at utilisation `row`, for each `slack` in mean service times."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """Waits between those of fixed and of exponential service times: tables (utilisations, probabilities)."""

    fixed: FloatArray
    exponential: FloatArray

    def exceeding(self, row: int, service: ServiceTime, slack: FloatArray) -> FloatArray:
        """Times linear in the squared coefficient of variation."""
        times = (1 - service.scv) * self.fixed[row] + service.scv * self.exponential[row]
        return _chances(slack, times)


@dataclass(frozen=True, slots=True, eq=False)
class InTurn:
    """Waits before one of `replicas` of one worker that are taken in turn."""

    replicas: int

    def exceeding(self, row: int, service: ServiceTime, slack: FloatArray) -> FloatArray:
        """Exact for any service time."""
        times, tail = walk_tail(service, self.replicas, float(UTILISATIONS[row]))
        return np.interp(slack, times, tail)


@dataclass(frozen=True, slots=True)
class Alone:
    """Waits before one worker."""

    def exceeding(self, row: int, service: ServiceTime, slack: FloatArray) -> FloatArray:
        """Exact for any service time."""
        rho, found = float(UTILISATIONS[row]), renewal(service, 1, float(slack.max()))
        return np.interp(slack, found.times, rho * found.tail(rho))


@dataclass(frozen=True, slots=True, eq=False)
class Central:
    """Waits in one queue before `servers`, and what is missed of those of fixed service times: as above.

    `added` is what two choices add.
    """

    servers: int
    missed: FloatArray
    added: Added | None = None

    def exceeding(self, row: int, service: ServiceTime, slack: FloatArray) -> FloatArray:
        """From the renewal equation, and the less of what is missed the nearer service is to exponential."""
        times = _renewed(service, self.servers, row, float(slack.max()) + BEYOND)
        times = times + max(0.0, 1 - service.scv) * self.missed[row]
        if self.added is not None:
            times = times + self.added.at(row, service.scv)
        return _chances(slack, times)


@lru_cache(maxsize=1024)
def waits(dispatch: DispatchRule, replicas: int, workers: int) -> Waits:
    """Waiting before `replicas` that work on `workers` requests each, under Poisson arrivals."""
    if dispatch is DispatchRule.RANDOM:
        replicas = 1
    if replicas * workers == 1:
        return Alone()
    if dispatch is DispatchRule.ROUND_ROBIN and workers == 1:
        return InTurn(replicas)
    if dispatch is DispatchRule.ROUND_ROBIN and replicas > 1:
        in_turn = [in_turn_wait(replicas, workers, rho) for rho in UTILISATIONS]
        return Between(_fixed(replicas * workers), np.array([_exceeded(wait) for wait in in_turn]))
    if dispatch is DispatchRule.TWO_CHOICES and replicas > 1:
        parted = added(replicas, workers, tuple(UTILISATIONS), tuple(EXCEEDED))
        return Central(replicas * workers, _missed(replicas * workers), parted)
    return Central(replicas * workers, _missed(replicas * workers))


@lru_cache(maxsize=1024)
def _missed(servers: int) -> FloatArray:
    """By how much longer the wait of fixed service times is than the renewal equation says."""
    rows = range(len(UTILISATIONS))
    longest = [MOST_SCALES / servers / (1 - rho) + 1 for rho in UTILISATIONS]
    renewed = np.array([_renewed(FIXED, servers, row, longest[row]) for row in rows])
    missed: FloatArray = _fixed(servers) - renewed
    return missed


def _renewed(service: ServiceTime, servers: int, row: int, longest: float) -> FloatArray:
    rho = float(UTILISATIONS[row])
    approximate = renewal(service, servers, longest)
    tail = central_wait(servers, rho).delayed * approximate.tail(rho)
    found: FloatArray = _quantiles(approximate.times, tail[None])[0]
    return found


def _chances(slack: FloatArray, times: FloatArray) -> FloatArray:
    """P(W > slack) where `times` are exceeded with probability EXCEEDED."""
    rising = np.maximum.accumulate(np.maximum(times, 0.0))
    chances: FloatArray = np.exp(np.interp(slack, rising, np.log(EXCEEDED)))
    return chances


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
            times, tail = walk_tail(FIXED, servers, float(rho))
            row[:] = _quantiles(times, tail[None])[0]
    return rows


def _exceeded(wait: ExponentialWait) -> FloatArray:
    exceeded: FloatArray = np.maximum(np.log(max(wait.delayed, NEVER) / EXCEEDED), 0.0) / wait.rate
    return exceeded
