"""Pending forecasts: estimates that wait for their outcome, and the errors of those whose outcome came.

Every estimate is made once, when its last value arrives, and kept until all it speaks of has come; so
errors are those of forecasts that were really made, and stating a forecast computes nothing again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barista.values.forecast import Forecast
from barista.values.series import FloatArray
from barista_plugins.recent_errors import FEWEST, errors_of, kept, stated

Undo = Callable[[FloatArray], FloatArray]
"""From the scale that estimates are made on to requests/s."""
SLICES = tuple(((np.arange(20) + 0.5) / 20).tolist())
"""Quantiles whose average is the mean: a rare burst among the errors does not carry it away."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Estimates of the latest origins, and the errors of earlier ones, all on the scale of a rule.

    `made` has shape (steps, steps, k): by origin, lead and estimate. The first estimate is the median's, a
    second one that of the highest level. `errors` has shape (n, steps, k).
    """

    made: FloatArray
    errors: FloatArray

    @property
    def steps(self) -> int:
        """The longest lead."""
        return self.made.shape[1]

    def followed(self, outcomes: FloatArray, made: FloatArray) -> "Pending":
        """Moved on by `outcomes` (n,), NaN if not seen, with the estimates made after each (n, steps, k)."""
        known = self.steps
        values = np.concatenate([np.full(known, np.nan), outcomes])
        every = np.concatenate([self.made, made])
        errors = errors_of(lambda origins: every[origins - 1], values, known, self.steps)
        return Pending(every[-self.steps :], kept(self.errors, errors))

    def forecast(
        self,
        origin_s: float,
        step_s: float,
        steps: int,
        fitted: tuple[float, ...],
        levels: tuple[float, ...],
        undo: Undo,
        name: str,
        shifted: bool = True,
    ) -> Forecast:
        """What comes next over `steps`: the latest estimates, with the quantiles of their recent errors.

        `fitted` are the levels that quantiles are made at, `levels` those asked. A second estimate is
        `shifted` by its recent errors too, or trusted to be the quantile it says.
        """
        if steps > self.steps:
            raise ValueError(f"{name}: {steps} steps asked, fitted for {self.steps}")
        median, errors = self.made[-1, :steps, :1], self.errors[:, :steps]
        apart = spread_of(errors[..., 0], (*fitted, *SLICES))
        demand = undo(median + apart)
        mean, quantiles = demand[:, len(fitted) :].mean(axis=1), demand[:, : len(fitted)]
        if self.made.shape[2] > 1:
            shift = spread_of(errors[..., 1], fitted[-1:]) if shifted else 0.0
            quantiles[:, -1:] = undo(self.made[-1, :steps, 1:] + shift)
        return stated(origin_s, step_s, mean, quantiles, fitted, levels, name)


def spread_of(errors: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Quantiles of `errors` (n, steps) at `levels`, lead by lead: shape (steps, levels).

    NaN are left out; too few errors are no ground for any spread.
    """
    seen = np.isfinite(errors).sum(axis=0)
    if not len(errors) or seen.max() < FEWEST:
        return np.zeros((errors.shape[1], len(levels)))
    rising = np.sort(errors, axis=0).T
    at = np.maximum(seen - 1, 0)[:, None] * np.array(levels)
    below = at.astype(np.int64)
    above = np.minimum(below + 1, np.maximum(seen - 1, 0)[:, None])
    row = np.arange(len(rising))[:, None]
    found = rising[row, below] + (at - below) * (rising[row, above] - rising[row, below])
    return np.where(seen[:, None] < FEWEST, 0.0, found)
