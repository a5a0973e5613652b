"""Recent errors: what a forecaster's quantiles were wrong by, lead by lead, when they were made.

A model judged on the data it was fitted to is too sure of itself. So both forecasters here keep the
errors of the latest forecasts that were made before their outcome was known, and shift each quantile
by the quantile of its own errors (conformal prediction, one-sided: Romano et al. 2019, arXiv 1905.03222):
then it is exceeded as often as it says, however wrong the model is.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from barista.values.forecast import Forecast
from barista.values.series import FloatArray

Predict = Callable[[npt.NDArray[np.int64]], FloatArray]
"""From origins (numbers of values seen), shape (n,), to predictions, shape (n, steps, k)."""
KEPT = 400
"""Outcomes that errors are kept of: enough for a 95 % quantile, few enough to follow a change."""
FEWEST = 20
"""Fewer errors than this are no ground for a shift."""


def errors_of(predict: Predict, values: FloatArray, first: int, steps: int) -> FloatArray:
    """Errors of the forecasts of ``values[first:]``, shape (n, steps, k): by outcome, lead, quantile.

    NaN where the outcome was not seen. `predict` is asked for origins from ``first - steps + 1`` on.
    """
    outcomes = np.arange(max(first, len(values) - KEPT), len(values))
    if not len(outcomes):
        return predict(np.array([len(values)]))[:0]
    origins = np.arange(outcomes[0] - steps + 1, outcomes[-1] + 1)
    made = predict(origins)
    leads = np.arange(1, steps + 1)
    at = (outcomes[:, None] - leads + 1) - origins[0]
    errors: FloatArray = values[outcomes][:, None, None] - made[at, leads - 1]
    return errors


def kept(earlier: FloatArray, later: FloatArray) -> FloatArray:
    """The latest errors of `earlier` followed by `later`."""
    return np.concatenate([earlier, later])[-KEPT:]


def shifts(errors: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """By how much to shift the quantile at each level, shape (steps, len(levels)).

    `errors` has one quantile a level, shape (n, steps, len(levels)).
    """
    if not len(errors):
        return np.zeros(errors.shape[1:])
    rising, seen = np.sort(errors, axis=0), np.isfinite(errors).sum(axis=0)
    last = np.maximum(seen - 1, 0)
    at = last * np.array(levels)
    below = at.astype(np.int64)
    low, high = (np.take_along_axis(rising, np.minimum(k, last)[None], axis=0)[0] for k in (below, below + 1))
    return np.where(seen >= FEWEST, low + (at - below) * (high - low), 0.0)


def stated(
    origin_s: float,
    step_s: float,
    mean: FloatArray,
    quantiles: FloatArray,
    levels: tuple[float, ...],
    asked: tuple[float, ...],
    name: str,
) -> Forecast:
    """The forecast with `mean` (steps,) and `quantiles` (steps, len(levels)), sorted, at the levels `asked`.

    Demand is never below 0. ValueError when a level asked lies outside the `levels` that were fitted.
    """
    ordered = np.sort(np.maximum(quantiles, 0.0), axis=1).T
    rows = tuple(tuple(row) for row in ordered.tolist())
    own = Forecast(origin_s, step_s, tuple(np.maximum(mean, 0.0).tolist()), levels, rows, name)
    if asked == levels:
        return own
    return Forecast(origin_s, step_s, own.mean, asked, tuple(own.quantile(level) for level in asked), name)
