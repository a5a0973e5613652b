"""Online aggregation: whom to believe, learned from each outcome as it comes.

Experts state quantiles; what is said is a mixture of them, whose weights follow from how much the mixture
would have gained by leaning more towards each: its regret. The slope of the pinball loss at the mixture
stands in for the loss, so that the mixture keeps up with the best fixed mixture in hindsight, not only
with the best single expert. Weights are those of ML-Poly (Gaillard, Stoltz and van Erven 2014, "A
second-order bound with excess losses", arXiv 1402.2044): proportional to the regrets above zero, each
over its sum of squares. There is no rate to tune, and demand in any unit gives the same weights.

How fast regrets should fade is not known beforehand either: a change of regime asks for a short memory, a
steady one for a long. So weights are kept for several memories side by side, and their mixtures are
mixed once more by the same rule. Experts may sleep (state NaN): they take no part, gain nothing and lose
nothing.

Errors in a burst are many times those before it: counted in full, a few minutes would outvote weeks, and
experts be believed for what no expert could know. So a regret counts as a share of how far apart experts
and outcomes lie, lately or now, whichever is more: no outcome counts for more than one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barista.values.series import FloatArray

BoolArray = npt.NDArray[np.bool_]
KEPT_SHARES = np.array([1.0, 0.99, 0.9, 0.7])
"""What is left of a regret after one more outcome, by memory: from all along to the last three outcomes."""
RECENT_OUTCOMES = 50
"""Outcomes that `recent` is a mean over."""


@dataclass(frozen=True, slots=True)
class Regrets:
    """Sums of regrets and of their squares, both of shape (..., experts)."""

    total: FloatArray
    squares: FloatArray

    @staticmethod
    def none(*shape: int) -> "Regrets":
        """Nothing to regret yet."""
        return Regrets(np.zeros(shape), np.zeros(shape))

    def weights(self, awake: BoolArray) -> FloatArray:
        """Weights of the experts that are `awake`; equal ones where nothing speaks for any."""
        known = self.squares > 0
        earned = np.where(
            known & awake, np.maximum(self.total, 0.0) / np.where(known, self.squares, 1.0), 0.0
        )
        whole = earned.sum(axis=-1, keepdims=True)
        equal = awake / np.maximum(awake.sum(axis=-1, keepdims=True), 1)
        weights: FloatArray = np.where(whole > 0, earned / np.where(whole > 0, whole, 1.0), equal)
        return weights

    def faded(self, regrets: FloatArray, kept: FloatArray | float) -> "Regrets":
        """With the latest `regrets` added to what is `kept` of the earlier ones."""
        return Regrets(self.total * kept + regrets, self.squares * kept + regrets**2)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What was learned of the experts of each cell (a lead and a level).

    `experts` holds regrets of shape (leads, levels, memories, experts), `memories` of one axis less;
    `recent` is how far apart mixture, experts and outcomes lately lay (leads, levels), 0 where unknown.
    """

    levels: tuple[float, ...]
    experts: Regrets
    memories: Regrets
    recent: FloatArray

    @staticmethod
    def start(leads: int, levels: tuple[float, ...], experts: int) -> "Aggregation":
        """Nothing learned yet: all weights are equal."""
        shape = leads, len(levels), len(KEPT_SHARES)
        return Aggregation(levels, Regrets.none(*shape, experts), Regrets.none(*shape), np.zeros(shape[:2]))

    def weights(self, awake: BoolArray) -> FloatArray:
        """Weights of the experts, shape (leads, levels, experts) as `awake`; 0 for those asleep."""
        of_experts = self.experts.weights(awake[..., None, :])
        weights: FloatArray = np.einsum("lqm,lqme->lqe", self._weights_of_memories(), of_experts)
        return weights

    def mixed(self, values: FloatArray) -> "Mixed":
        """The mixture of the experts' `values` (leads, levels, experts; NaN: asleep)."""
        by_memory = self._by_memory(values)
        return Mixed(by_memory, (self._weights_of_memories() * by_memory).sum(axis=-1))

    def learned(self, values: FloatArray, mixed: "Mixed", outcome: float) -> "Aggregation":
        """What is known after the `outcome` of which experts had stated `values` and been `mixed`.

        Experts are judged beside the mixture as it would be now: an outcome is not waited for to learn
        from others. Memories are judged by what they said then: a short one must show that it is in time.
        """
        apart = _disagreement(values, mixed.values, outcome)
        recent = _followed(self.recent, apart)
        unit = np.fmax(recent, apart)[..., None]
        unit = np.where(unit > 0, unit, 1.0)
        now = self._by_memory(values)
        gained = (self._slope(outcome, now) / unit)[..., None] * (now[..., None] - values[..., None, :])
        said = mixed.values[..., None]
        gained_by_memory = self._slope(outcome, said) / unit * (said - mixed.by_memory)
        return Aggregation(
            self.levels,
            self.experts.faded(np.nan_to_num(gained), KEPT_SHARES[:, None]),
            self.memories.faded(np.nan_to_num(gained_by_memory), 1.0),
            recent,
        )

    def _by_memory(self, values: FloatArray) -> FloatArray:
        awake = np.isfinite(values)
        weights = self.experts.weights(awake[..., None, :])
        mixtures = np.einsum("lqme,lqe->lqm", weights, np.where(awake, values, 0.0))
        return np.where(awake.any(axis=-1, keepdims=True), mixtures, np.nan)

    def _weights_of_memories(self) -> FloatArray:
        return self.memories.weights(np.ones_like(self.memories.total, dtype=bool))

    def _slope(self, outcome: float, stated: FloatArray) -> FloatArray:
        """Slope of the pinball loss at what was `stated`, shape (leads, levels, any)."""
        slope: FloatArray = (outcome <= stated) - np.array(self.levels)[:, None]
        return slope


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mixture: `by_memory` (leads, levels, memories), and of all of them, `values` (leads, levels)."""

    by_memory: FloatArray
    values: FloatArray


def _disagreement(values: FloatArray, mixed: FloatArray, outcome: float) -> FloatArray:
    """How far the outcome and the experts awake lie from what was `mixed`, shape (leads, levels)."""
    awake = np.isfinite(values)
    apart = np.where(awake, np.abs(values - mixed[..., None]), 0.0).sum(axis=-1)
    found: FloatArray = np.abs(outcome - mixed) + apart / np.maximum(awake.sum(axis=-1), 1)
    return found


def _followed(recent: FloatArray, missed: FloatArray) -> FloatArray:
    begun = np.where(recent > 0, recent + (missed - recent) / RECENT_OUTCOMES, missed)
    return np.where(np.isfinite(missed), begun, recent)
