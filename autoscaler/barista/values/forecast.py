"""A forecast: demand over the horizon from one origin, as mean and quantiles per step."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand after `origin_s`: step k covers ``[origin_s + k*step_s, origin_s + (k+1)*step_s)``.

    `mean` has one value per step (requests/s, as in the demand it was made from);
    `quantiles[i][k]` is the quantile at `levels[i]` of step k. `made_by` names the forecaster, or
    the rung of the ladder that stood in for it.
    """

    origin_s: float
    step_s: float
    mean: tuple[float, ...]
    levels: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    made_by: str

    @property
    def steps(self) -> int:
        """Number of steps forecast."""
        return len(self.mean)

    def quantile(self, level: float) -> tuple[float, ...]:
        """The quantile at `level`, per step; between stated levels linearly interpolated.

        ValueError when `level` lies outside the stated levels: a bound is not made up.
        """
        if not self.levels or not self.levels[0] - 1e-9 <= level <= self.levels[-1] + 1e-9:
            raise ValueError(f"forecast by {self.made_by}: no quantile {level}; stated: {self.levels}")
        above = min(bisect_left(self.levels, level), len(self.levels) - 1)
        if above == 0 or level >= self.levels[above]:
            return self.quantiles[above]
        below = above - 1
        share = (level - self.levels[below]) / (self.levels[above] - self.levels[below])
        pairs = zip(self.quantiles[below], self.quantiles[above], strict=True)
        return tuple(low + share * (high - low) for low, high in pairs)

    def peak(self, level: float, start_s: float, end_s: float) -> float:
        """The largest quantile at `level` over the steps that ``[start_s, end_s)`` touches (requests/s).

        Before the origin the first step is taken to stand, past the end the last one.
        """
        row, last = self.quantile(level), self.steps - 1
        first = min(max(math.floor((start_s - self.origin_s) / self.step_s + 1e-6), 0), last)
        end = min(max(math.ceil((end_s - self.origin_s) / self.step_s - 1e-6) - 1, first), last)
        return max(row[first : end + 1])

    def fault(self) -> str | None:
        """What is wrong with it in one phrase, or None: NaN, negative, non-monotone, misshapen."""
        if not self.mean:
            return "no steps"
        if len(self.levels) != len(self.quantiles):
            return f"{len(self.levels)} levels but {len(self.quantiles)} quantile rows"
        if any(b <= a for a, b in pairwise(self.levels)):
            return f"levels do not rise: {self.levels}"
        for name, row in (("mean", self.mean), *zip(map(str, self.levels), self.quantiles, strict=True)):
            if len(row) != self.steps:
                return f"{name}: {len(row)} steps instead of {self.steps}"
            if not all(math.isfinite(x) for x in row):
                return f"{name}: not finite"
            if min(row) < 0:
                return f"{name}: negative"
        for below, above in pairwise(self.quantiles):
            if any(a > b + 1e-9 for a, b in zip(below, above, strict=True)):
                return "quantiles cross"
        return None
