"""Ridge regression for the median and other quantiles: linear, regularised, and deaf to bursts.

Least squares would bend to every burst. Here rows are weighted by the inverse of their error, which turns
squares into absolute values (iteratively reweighted least squares), and inputs are scaled by
how much they are expected to matter, so that one penalty shrinks the doubtful ones most. Penalties
are tried in closed form: one eigendecomposition serves them all. For another quantile than the median,
errors above and below weigh as its pinball loss has it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from barista.values.series import FloatArray

REWEIGHTED = 3
REWEIGHTED_QUANTILE = 8
SMALLEST_ERROR = 0.1
"""Errors below this share of their median weigh no more than it."""
SMALLEST_SPREAD = 1e-9
FOLDS = (0.5, 0.625, 0.75, 0.875, 1.0)
"""Shares of the rows: from one to the next a penalty is judged, having been fitted to all before."""


@dataclass(frozen=True, slots=True)
class Linear:
    """The rule ``inputs @ weights + intercept``; one column of weights, one intercept, a penalty."""

    weights: FloatArray
    intercepts: FloatArray

    def of(self, inputs: FloatArray) -> FloatArray:
        """What it says for `inputs` (n, p), shape (n, penalties)."""
        said: FloatArray = inputs @ self.weights + self.intercepts
        return said


def fit_median(
    inputs: FloatArray, outcomes: FloatArray, relevance: FloatArray, penalties: FloatArray
) -> Linear:
    """Linear rules for the median of `outcomes` (n,) from `inputs` (n, p) with their `relevance` (p,).

    A penalty is per row, for inputs of unit spread and relevance. Of several, all share the weights of
    the rows, which are those that the middle one leads to.
    """
    mean = inputs.mean(axis=0)
    scale = relevance / np.maximum(inputs.std(axis=0), SMALLEST_SPREAD)
    rows = (inputs - mean) * scale
    pilot = penalties[len(penalties) // 2 : len(penalties) // 2 + 1]
    weights = np.ones(len(rows))
    for _ in range(REWEIGHTED):
        errors = outcomes - _least_squares(rows, outcomes, weights, pilot).of(rows)[:, 0]
        weights = _robust(errors)
    fitted = _least_squares(rows, outcomes, weights, penalties)
    slopes = fitted.weights * scale[:, None]
    return Linear(slopes, fitted.intercepts - mean @ slopes)


def fit_quantile(
    inputs: FloatArray, outcomes: FloatArray, relevance: FloatArray, penalty: float, level: float
) -> Linear:
    """A linear rule for the quantile at `level` of `outcomes`, from a start at their median; one column.

    The rest is as `fit_median` has it.
    """
    start = fit_median(inputs, outcomes, relevance, np.array([penalty]))
    if level == 0.5:
        return start
    mean = inputs.mean(axis=0)
    scale = relevance / np.maximum(inputs.std(axis=0), SMALLEST_SPREAD)
    rows = (inputs - mean) * scale
    errors = outcomes - start.of(inputs)[:, 0]
    errors = errors - np.quantile(errors, level)
    fitted = start
    for _ in range(REWEIGHTED_QUANTILE):
        weights = _robust(errors) * np.where(errors > 0, level, 1.0 - level)
        fitted = _least_squares(rows, outcomes, weights, np.array([penalty]))
        errors = outcomes - fitted.of(rows)[:, 0]
    slopes = fitted.weights * scale[:, None]
    return Linear(slopes, fitted.intercepts - mean @ slopes)


def foretold(
    inputs: FloatArray, outcomes: FloatArray, relevance: FloatArray, penalties: FloatArray
) -> FloatArray:
    """What rules fitted to the rows before say about the later rows, shape (later rows, penalties)."""
    cuts = [int(len(outcomes) * share) for share in FOLDS]
    return np.concatenate(
        [
            fit_median(inputs[:known], outcomes[:known], relevance, penalties).of(inputs[known:end])
            for known, end in pairwise(cuts)
        ]
    )


def _least_squares(
    rows: FloatArray, outcomes: FloatArray, weights: FloatArray, penalties: FloatArray
) -> Linear:
    """Weighted ridge rules for all `penalties`, from one eigendecomposition."""
    share = weights / weights.sum()
    center, level = share @ rows, float(share @ outcomes)
    weighted = rows * share[:, None]
    gram = weighted.T @ rows - np.outer(center, center)
    moment = weighted.T @ outcomes - center * level
    values, vectors = np.linalg.eigh(gram)
    shrunk = (vectors.T @ moment)[:, None] / (np.maximum(values, 0.0)[:, None] + penalties)
    slopes = vectors @ shrunk
    return Linear(slopes, level - center @ slopes)


def _robust(errors: FloatArray) -> FloatArray:
    """Weights under which squared errors count as absolute ones."""
    miss = np.abs(errors)
    floor = max(SMALLEST_ERROR * float(np.median(miss)), SMALLEST_SPREAD)
    weights: FloatArray = 1.0 / np.maximum(miss, floor)
    return weights
