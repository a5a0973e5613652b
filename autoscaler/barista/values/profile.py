"""Execution profiles: the measured behaviour of a model on a flavor."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

SETUP_LEVEL = 0.95


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
    def of(samples_s: "np.typing.ArrayLike", levels: tuple[float, ...] | None = None) -> "Distribution":
        """The empirical distribution of `samples_s`, at `levels` (default: 0, 1, 5, 10 … 99, 100 %)."""
        samples = np.asarray(samples_s, dtype=float)
        if levels is None:
            levels = (0.0, 0.01, 0.05, *(i / 10 for i in range(1, 10)), 0.95, 0.99, 0.999, 1.0)
        values = np.quantile(samples, levels)
        return Distribution(levels, tuple(float(v) for v in values), float(samples.mean()))

    def quantile(self, level: float) -> float:
        """The time (s) not exceeded with probability `level`."""
        return float(np.interp(level, self.levels, self.values_s))


@dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """What `model` does on `flavor`: service time of one request, set-up time, memory.

    `workers` requests are worked on at once; `service_time` is that of one of them alone.
    """

    model: str
    flavor: str
    service_time: Distribution
    setup_time: Distribution
    memory_gib: float = 0.0
    workers: int = 1
    requests: int = 0

    @property
    def planned_setup_s(self) -> float:
        """The set-up time (s) that planning counts on: 95 % of the starts keep it."""
        return self.setup_time.quantile(SETUP_LEVEL)


Profiles = Mapping[str, ExecutionProfile]
"""Execution profiles of one model, by flavor."""
