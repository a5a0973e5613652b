"""Surprise: a value beyond its bound moves the bounds after it at once.

When demand breaks its bound, no expert foresaw it, and those that learned from calmer days say that it will
be over soon. It may be, and it may be the beginning of something unheard of: the bounds that follow are moved
by a share of what went beyond. Too much of it is dear for minutes, too little is broken again and again.
Which share was best so far, lead by lead and level by level, is told by its pinball loss; before anything is
known, all of it counts.
"""

from dataclasses import dataclass, replace

import numpy as np

from barista.values.series import FloatArray

SHARES = np.array([1.0, 0.5, 0.25, 0.0])
KEPT = 0.9998
"""What is left of a loss after one more outcome: those of the latest weeks decide."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """How far the last value went beyond its bounds (levels,), 0 where it did not; losses by share.

    `losses` has shape (leads, levels, SHARES).
    """

    levels: tuple[float, ...]
    beyond: FloatArray
    losses: FloatArray

    @staticmethod
    def start(leads: int, levels: tuple[float, ...]) -> "Surprise":
        """Nothing seen yet."""
        return Surprise(levels, np.zeros(len(levels)), np.zeros((leads, len(levels), len(SHARES))))

    def moved(self, bounds: FloatArray) -> FloatArray:
        """`bounds` (leads, levels) as each share would have them, shape (leads, levels, SHARES)."""
        every: FloatArray = bounds[..., None] + self.beyond[:, None] * SHARES
        return every

    def chosen(self, by_share: FloatArray) -> FloatArray:
        """Of bounds `by_share` those that lost least, rising and not below 0: shape (leads, levels)."""
        best = self.losses.argmin(axis=2)
        bounds = np.take_along_axis(by_share, best[..., None], axis=2)[..., 0]
        return np.sort(np.maximum(bounds, 0.0), axis=1)

    def learned(self, outcome: float, by_share: FloatArray, next_bounds: FloatArray) -> "Surprise":
        """After the `outcome` of which each lead had said `by_share`, and the latest origin `next_bounds`.

        `by_share` as `moved` gave it, `next_bounds` (levels,); NaN where nothing was said.
        """
        levels = np.array(self.levels)
        above = outcome - by_share
        lost = np.maximum(levels[:, None] * above, (levels[:, None] - 1.0) * above)
        beyond = outcome - next_bounds
        outside = np.where(levels > 0.5, np.maximum(beyond, 0.0), np.minimum(beyond, 0.0))
        return replace(
            self,
            beyond=np.nan_to_num(np.where(levels == 0.5, 0.0, outside)),
            losses=self.losses * KEPT + np.nan_to_num(lost),
        )

    def past(self) -> "Surprise":
        """With no surprise any more: the next value was not seen."""
        return replace(self, beyond=np.zeros_like(self.beyond))
