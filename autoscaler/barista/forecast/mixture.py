"""The mixture: what the ensemble says from what its members say, and what it learns from the outcome.

A forecast made now comes true lead by lead. Until then it waits here, with all that was known when it was
made; each new value settles one lead of each of the latest origins, and teaches weights and calibration.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from barista.forecast.aggregation import KEPT_SHARES, Aggregation, Mixed
from barista.forecast.calibration import SCALES, Calibration
from barista.forecast.surprise import SHARES, Surprise
from barista.values.series import FloatArray

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stated:
    """What was said from an origin, by lead: of the members and experts, and of the mixture.

    `experts` (leads, levels, experts), `by_memory` (leads, levels, memories) and `mixed` (leads, levels) of
    them, `scales` (leads, SCALES), `by_share` (leads, levels, SHARES) as tracked and moved, `quantiles`
    (leads, levels) of these. Waiting ones have one more axis, origins from the latest on, before these. NaN
    is silence.
    """

    experts: FloatArray
    by_memory: FloatArray
    mixed: FloatArray
    scales: FloatArray
    by_share: FloatArray
    quantiles: FloatArray

    @staticmethod
    def nothing(leads: int, levels: int, experts: int) -> "Stated":
        """Silence all along, waiting."""
        by_memory, by_share = (levels, len(KEPT_SHARES)), (levels, len(SHARES))
        shapes = (levels, experts), by_memory, (levels,), (SCALES,), by_share, (levels,)
        return Stated(*(np.full((leads, leads, *shape), np.nan) for shape in shapes))

    @property
    def parts(self) -> tuple[FloatArray, ...]:
        """Its arrays, in order."""
        return self.experts, self.by_memory, self.mixed, self.scales, self.by_share, self.quantiles

    def due(self) -> "Stated":
        """Of those waiting, what each origin said of the value that comes next: shape without origins."""
        each = np.arange(len(self.quantiles))
        return Stated(*(part[each, each] for part in self.parts))

    def after(self, latest: "Stated", again: bool) -> "Stated":
        """Those waiting once `latest` was said, `again` (from the latest origin anew) or from the next."""
        kept = slice(1, None) if again else slice(None, -1)
        pairs = zip(latest.parts, self.parts, strict=True)
        return Stated(*(np.concatenate([new[None], waiting[kept]]) for new, waiting in pairs))


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights, calibration, surprise, and what waits for its outcome, for `levels` that rise and hold 0.5."""

    levels: tuple[float, ...]
    aggregation: Aggregation
    calibration: Calibration
    surprise: Surprise
    waiting: Stated

    @staticmethod
    def start(leads: int, levels: tuple[float, ...], members: int) -> "Mixture":
        """Nothing learned and nothing said yet."""
        experts = members + SCALES
        return Mixture(
            levels,
            Aggregation.start(leads, levels, experts),
            Calibration.start(leads, levels),
            Surprise.start(leads, levels),
            Stated.nothing(leads, len(levels), experts),
        )

    @property
    def quantiles(self) -> FloatArray:
        """What was said from the latest origin, shape (leads, levels)."""
        latest: FloatArray = self.waiting.quantiles[0]
        return latest

    def learned(self, outcome: float, season_bin: int) -> "Mixture":
        """After the `outcome` of the next step (NaN: it was not seen), which lies in `season_bin`."""
        if not np.isfinite(outcome):
            return replace(self, surprise=self.surprise.past())
        due = self.waiting.due()
        median = due.quantiles[:, self._middle]
        return replace(
            self,
            aggregation=self.aggregation.learned(due.experts, Mixed(due.by_memory, due.mixed), outcome),
            calibration=self.calibration.learned(outcome, median, due.scales, due.quantiles, season_bin),
            surprise=self.surprise.learned(outcome, due.by_share, due.quantiles[0]),
        )

    def said(self, members: FloatArray, season_bins: Positions, again: bool = False) -> "Mixture":
        """After the `members` (leads, levels, members; NaN: asleep) spoke from the next origin.

        The steps ahead lie in `season_bins` (leads,). `again`: from the same origin as before.
        """
        latest = self._mixed(members, season_bins)
        return replace(self, waiting=self.waiting.after(latest, again))

    def forgetting_what_was_said(self) -> "Mixture":
        """The same, with nothing waiting: the outcomes to come are not those it waits for."""
        leads, levels, experts = self.waiting.experts.shape[1:]
        return replace(self, waiting=Stated.nothing(leads, levels, experts))

    def mean(self, means: FloatArray) -> FloatArray:
        """The members' `means` (leads, members; NaN: asleep), mixed like their medians: shape (leads,)."""
        awake = np.isfinite(means)
        silent = np.zeros((len(means), SCALES), dtype=bool)
        every = np.repeat(np.concatenate([awake, silent], axis=1)[:, None], len(self.levels), axis=1)
        weights = self.aggregation.weights(every)[:, self._middle, : means.shape[1]]
        mixed = (weights * np.where(awake, means, 0.0)).sum(axis=1)
        return np.where(awake.any(axis=1), mixed, np.nan)

    @property
    def _middle(self) -> int:
        return self.levels.index(0.5)

    def _mixed(self, members: FloatArray, season_bins: Positions) -> Stated:
        silent = np.full((*members.shape[:2], SCALES), np.nan)
        experts = np.concatenate([members, silent], axis=2)
        median = self.aggregation.mixed(experts).values[:, self._middle]
        scales = self.calibration.sizes.scales(median, season_bins)
        experts[..., members.shape[2] :] = self.calibration.bounds(median, scales)
        mixed = self.aggregation.mixed(experts)
        by_share = self.surprise.moved(self.calibration.tracked(median, mixed.values))
        quantiles = self.surprise.chosen(by_share)
        return Stated(experts, mixed.by_memory, mixed.values, scales, by_share, quantiles)
