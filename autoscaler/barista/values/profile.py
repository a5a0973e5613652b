"""Execution profiles: the measured behaviour of a model on a flavor."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

SETUP_LEVEL = 0.95
LEVELS = (
    *(0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(0.93, 0.95, 0.965, 0.975, 0.985, 0.99, 0.995, 0.9975, 0.999, 1.0),
)
"""Quantiles that are kept of measured times: many where objectives lie and the tail bends."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """An empirical distribution of a time: `values_s[i]` is its quantile at `levels[i]`.

    Between the levels it is read by linear interpolation, outside them it is flat.
    """

    levels: tuple[float, ...]
    values_s: tuple[float, ...]
    mean_s: float

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.values_s) or not self.levels:
            raise ValueError(
                f"distribution: {len(self.levels)} levels, {len(self.values_s)} values: need as many of both"
            )
        for name, row in (("levels", self.levels), ("values_s", self.values_s)):
            if not all(a <= b for a, b in pairwise(row)):
                raise ValueError(f"distribution: {name} must not fall: {row}")
        if not 0 <= self.levels[0] <= self.levels[-1] <= 1:
            raise ValueError(f"distribution: levels are fractions from 0 to 1: {self.levels}")
        if self.values_s[0] < 0:
            raise ValueError(f"distribution: negative time {self.values_s[0]} s")

    @staticmethod
    def constant(value_s: float) -> "Distribution":
        """A time that never varies."""
        return Distribution((0.0, 1.0), (value_s, value_s), value_s)

    @staticmethod
    def of(samples_s: "np.typing.ArrayLike", levels: tuple[float, ...] = LEVELS) -> "Distribution":
        """The empirical distribution of `samples_s`, at `levels`."""
        samples = np.asarray(samples_s, dtype=float)
        values = np.quantile(samples, levels)
        return Distribution(levels, tuple(float(v) for v in values), float(samples.mean()))

    def quantile(self, level: float) -> float:
        """The time (s) not exceeded with probability `level`."""
        return float(np.interp(level, self.levels, self.values_s))

    def towards(self, other: "Distribution", share: float) -> "Distribution":
        """The distribution whose quantiles lie a `share` of the way from these to those of `other`."""
        levels = tuple(sorted({*self.levels, *other.levels}))
        values = (self.quantile(x) + share * (other.quantile(x) - self.quantile(x)) for x in levels)
        return Distribution(levels, tuple(values), self.mean_s + share * (other.mean_s - self.mean_s))

    def evened(self, dispersion: float) -> "Distribution":
        """The distribution with as many times the variance, around the same mean."""
        if dispersion == 1:
            return self
        return self.towards(Distribution.constant(self.mean_s), 1 - dispersion**0.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """Confidence bounds (s) of the quantile at `level`: it lies within them 19 times out of 20."""

    level: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The family that fits measured times best, its parameters, and how well it does.

    `ks` is the Kolmogorov-Smirnov distance, `ad` the Anderson-Darling statistic (weighs the tails).
    """

    family: str
    parameters: tuple[tuple[str, float], ...]
    ks: float
    ad: float


@dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """What `model` does on `flavor`: service time of one request, set-up time, memory.

    `workers` requests are worked on at once; `service_time` is that of each of them while all are.
    `by_concurrency` has the service time with fewer at work, by their number, ascending and up to `workers`
    (empty: the same as with all). `saturation_rps` is the most that one replica was seen to keep up with.
    The variance of sums of service times in a row is `dispersion` times that of independent ones. Requests
    that came by chance were answered `ahead_s` sooner than by a queue of service times evened out so.
    """

    model: str
    flavor: str
    service_time: Distribution
    setup_time: Distribution
    memory_gib: float = 0.0
    workers: int = 1
    requests: int = 0
    by_concurrency: tuple[tuple[int, Distribution], ...] = ()
    intervals: tuple[Interval, ...] = ()
    fit: Fit | None = None
    saturation_rps: float | None = None
    dispersion: float = 1.0
    ahead_s: float = 0.0

    def service_time_at(self, busy: float) -> Distribution:
        """Service time while `busy` requests are at work on average; between measured numbers linear."""
        if not self.by_concurrency:
            return self.service_time
        numbers = [number for number, _ in self.by_concurrency]
        upper = min(bisect_left(numbers, busy), len(numbers) - 1)
        lower = max(upper - 1, 0)
        if upper == lower or busy >= numbers[upper]:
            return self.by_concurrency[upper][1]
        share = (busy - numbers[lower]) / (numbers[upper] - numbers[lower])
        return self.by_concurrency[lower][1].towards(self.by_concurrency[upper][1], share)

    @property
    def planned_setup_s(self) -> float:
        """The set-up time (s) that planning counts on: 95 % of the starts keep it."""
        return self.setup_time.quantile(SETUP_LEVEL)


Profiles = Mapping[str, ExecutionProfile]
"""Execution profiles of one model, by flavor."""
