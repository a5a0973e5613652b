"""Calibration: bounds that hold as often as they say, whatever the members think of their own errors.

Around the median two more experts on each bound are put up: the quantile that its recent errors had in units
of some scale, times that scale now. Errors are larger at some hours than at others, and in spells: the
first scale is the geometric mean of both sizes. They grow with demand, less than in proportion: the second
is the geometric mean of demand and the steady size. Which of the two, or of the members, is believed is
left to their pinball loss (`barista.forecast.aggregation`).

What comes out is then tracked: each miss widens the bound a little, each hit narrows it, so that in the
long run it is missed as often as it should be (Gibbs and Candès 2021, arXiv 2106.00170; quantile
tracking in Angelopoulos, Candès and Tibshirani 2023, arXiv 2307.16895). It is tracked slowly, since a bound
that trembles costs more than it keeps, and within limits: a spell of misses must not widen it beyond measure.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from barista.values.series import FloatArray

Positions = npt.NDArray[np.int64]
BINS = 24
"""Parts of the season with an error size of their own."""
KEPT_ERRORS = 400
FEWEST_ERRORS = 20
"""Fewer errors say nothing about a quantile."""
STEADY_OUTCOMES, SPELL_OUTCOMES, BIN_OUTCOMES = 400, 12, 8
"""Outcomes that error sizes are means over: all along, in a spell, in one part of the season."""
FLOOR_SHARE = 0.1
"""Share of the steady size below which no scale falls: a quiet hour is no promise."""
SCALES = 2
STEP = 0.01
"""Relative change of a bound's width after a miss, over the share of hits."""
WIDEST = 2.0
"""Factor by which a bound's width is changed at most, up or down."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Typical absolute errors by lead: `steady` (leads,), in a `spell` (leads,), by `season` (leads, bins).

    `counts` (leads, bins) and `outcomes` (leads,) tell how many they are means of.
    """

    steady: FloatArray
    spell: FloatArray
    season: FloatArray
    counts: FloatArray
    outcomes: FloatArray

    @staticmethod
    def none(leads: int) -> "Sizes":
        """Nothing known yet."""
        lead, by_bin = np.zeros(leads), np.zeros((leads, BINS))
        return Sizes(lead, lead, by_bin, by_bin, lead)

    def followed(self, missed: FloatArray, at: int) -> "Sizes":
        """After absolute errors `missed` (leads,; NaN: none) in part `at` of the season."""
        known = np.isfinite(missed)
        missed = np.where(known, missed, 0.0)
        outcomes, counts = self.outcomes + known, self.counts.copy()
        counts[:, at] += known
        season = self.season.copy()
        season[:, at] = _towards(season[:, at], missed, known, np.minimum(counts[:, at], BIN_OUTCOMES))
        return Sizes(
            _towards(self.steady, missed, known, np.minimum(outcomes, STEADY_OUTCOMES)),
            _towards(self.spell, missed, known, np.minimum(outcomes, SPELL_OUTCOMES)),
            season,
            counts,
            outcomes,
        )

    def scales(self, median: FloatArray, at: Positions) -> FloatArray:
        """The scales of errors around `median` (leads,) in the parts `at` of the season, (leads, SCALES)."""
        lead = np.arange(len(median))
        floor = FLOOR_SHARE * self.steady
        season = np.where(self.counts[lead, at] > 0, self.season[lead, at], self.steady) + floor
        demand = np.maximum(median, 0.0) + self.steady
        scales: FloatArray = np.sqrt(np.stack([season * (self.spell + floor), demand * self.steady], axis=1))
        return scales


@dataclass(frozen=True, slots=True)
class Calibration:
    """Recent errors in units of each scale (n, leads, SCALES), error sizes, and the tracked widths.

    `widths` (leads, levels) are logarithms of factors on the distance from the median.
    """

    levels: tuple[float, ...]
    sizes: Sizes
    errors: npt.NDArray[np.float32]
    widths: FloatArray

    @staticmethod
    def start(leads: int, levels: tuple[float, ...]) -> "Calibration":
        """Nothing known yet: no bounds of its own, and those of others as they are."""
        errors = np.empty((0, leads, SCALES), dtype=np.float32)
        return Calibration(levels, Sizes.none(leads), errors, np.zeros((leads, len(levels))))

    def bounds(self, median: FloatArray, scales: FloatArray) -> FloatArray:
        """Its own experts on the levels, shape (leads, levels, SCALES); NaN where they know too little.

        At the median itself it has no opinion.
        """
        apart = _quantiles(self.errors, self.levels)
        bounds: FloatArray = median[:, None, None] + apart * scales[:, None, :]
        bounds[:, self.levels.index(0.5)] = np.nan
        return bounds

    def tracked(self, median: FloatArray, bounds: FloatArray) -> FloatArray:
        """`bounds` (leads, levels) at the widths that kept them, rising from level to level."""
        middle = self.levels.index(0.5)
        apart = (bounds - median[:, None]) * np.exp(self.widths)
        apart[:, :middle] = np.minimum(apart[:, :middle], 0.0)
        apart[:, middle + 1 :] = np.maximum(apart[:, middle + 1 :], 0.0)
        apart[:, middle] = 0.0
        return np.sort(np.maximum(median[:, None] + apart, 0.0), axis=1)

    def learned(
        self, outcome: float, median: FloatArray, scales: FloatArray, bounds: FloatArray, at: int
    ) -> "Calibration":
        """After the `outcome`, in part `at` of the season, of what was stated of it at each lead.

        `median` (leads,), `scales` (leads, SCALES), `bounds` (leads, levels); NaN where nothing was.
        """
        error = outcome - median
        units = np.where(scales > 0, error[:, None] / np.where(scales > 0, scales, 1.0), np.nan)
        errors = np.concatenate([self.errors, units[None].astype(np.float32)])[-KEPT_ERRORS:]
        levels = np.array(self.levels)
        missed = np.where(levels >= 0.5, outcome > bounds, outcome < bounds)
        stated = np.minimum(levels, 1.0 - levels)
        moved = np.where(np.isfinite(bounds), STEP * (missed - stated), 0.0)
        widths = np.clip(self.widths + moved, -np.log(WIDEST), np.log(WIDEST))
        return replace(self, sizes=self.sizes.followed(np.abs(error), at), errors=errors, widths=widths)


def _towards(
    mean: FloatArray, value: FloatArray, known: npt.NDArray[np.bool_], over: FloatArray
) -> FloatArray:
    """A running mean moved towards `value`, where `known`, as one `over` so many."""
    moved: FloatArray = mean + np.where(known, (value - mean) / np.maximum(over, 1.0), 0.0)
    return moved


def _quantiles(errors: npt.NDArray[np.float32], levels: tuple[float, ...]) -> FloatArray:
    """Quantiles of errors (n, leads, scales) at the levels, shape (leads, levels, scales), NaN left out.

    NaN where there are too few.
    """
    seen = np.isfinite(errors).sum(axis=0)
    if not len(errors):
        return np.full((len(seen), len(levels), seen.shape[1]), np.nan)
    rising, last = np.sort(errors, axis=0), np.maximum(seen - 1, 0)
    at = np.array(levels)[:, None, None] * last
    below = at.astype(np.int64)
    low, high = (np.take_along_axis(rising, np.minimum(k, last), axis=0) for k in (below, below + 1))
    found = np.where(seen >= FEWEST_ERRORS, low + (at - below) * (high - low), np.nan)
    return np.moveaxis(found, 0, 1)
