"""Burst: how far demand stands out from the usual now, and how fast that passes.

During a burst the seasons say little: what counts is how high demand stands above the usual, whether it still
rises, and how long such heights have lasted in the past. So this forecaster looks at the last minutes only,
as distances from the usual (the median of the same moment in earlier seasons), and learns from past
bursts, per lead, how much of each distance is left by then: small ones may last where large ones fade.
"""

from dataclasses import dataclass, replace

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray
from barista_plugins.lagged import LAGS, SPANS, Lagged, Positions
from barista_plugins.learning import History
from barista_plugins.recent_errors import errors_of
from barista_plugins.robust_ridge import fit_median
from barista_plugins.scales import Scale
from barista_plugins.track import Track

PENALTY = np.array([1e-3])
LARGE = (2.0, 6.0)
"""Distances from the usual, in typical changes per step, beyond which they may fade otherwise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is left of each sign of a burst: weights (steps, signs), intercepts (steps,), on `scale`.

    `typical` is the size of a typical change from one step to the next.
    """

    lagged: Lagged
    scale: Scale
    typical: float
    weights: FloatArray
    intercepts: FloatArray

    def predict(self, demand: Demand, origins: Positions) -> FloatArray:
        """Estimates after each origin (n,) of `demand`, all on the rule's scale: shape (n, steps, 1)."""
        leads = np.arange(1, self.lagged.steps + 1)
        usual, signs = _signs(self.lagged, self.typical, demand, origins, leads)
        made: FloatArray = usual + np.einsum("nms,ms->nm", signs, self.weights) + self.intercepts
        return made[..., None]


@dataclass(frozen=True, slots=True)
class BurstState:
    """A fitted rule and the track that it moves on."""

    context: ForecastContext
    rule: Rule
    track: Track


@dataclass(frozen=True, slots=True)
class BurstForecaster:
    """The usual, and what is left of the distance from it; quantiles by recent errors."""

    name: str = "burst"

    def fit(self, demand: Demand, context: ForecastContext, warm: BurstState | None = None) -> BurstState:
        """Learn from the past bursts of `demand`; the errors of a `warm` state are kept."""
        history = History.of(self.name, demand, context)
        if warm is not None and warm.context == context and warm.rule.lagged == history.lagged:
            scale, errors = warm.rule.scale, warm.track.pending.errors
        else:
            scale = Scale.of(history.seen.values, "log")
            errors = _judged(history.on(scale), scale)
        measured = history.on(scale)
        rule = _learned(measured, scale)
        return BurstState(context, rule, Track.begun(measured, rule.predict, errors))

    def update(self, state: BurstState, new_values: Demand) -> BurstState:
        """The state with `new_values` at its end."""
        measured = replace(new_values, values=state.rule.scale.apply(new_values.values))
        return replace(state, track=state.track.followed(measured, state.rule.predict))

    def forecast(self, state: BurstState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The estimates of the leads, with the quantiles of their recent errors."""
        fitted, undo, at = state.context.levels, state.rule.scale.undo, state.track.recent
        return state.track.pending.forecast(at.end_s, at.step_s, steps, fitted, levels, undo, self.name)


def _signs(
    lagged: Lagged, typical: float, demand: Demand, origins: Positions, leads: Positions
) -> tuple[FloatArray, FloatArray]:
    """The usual at each target (n, m), and the signs of a burst before it (n, m, signs).

    Signs are the distances from the usual at the origin of the last value, the highest of the last ones and
    means over longer spans, what of the former exceeds what is large, and how demand and the usual move.
    """
    levels = lagged.levels(demand, origins, leads)
    last, means = levels[..., : len(LAGS)], levels[..., len(LAGS) : len(LAGS) + len(SPANS)]
    if lagged.distances:
        then, ago = np.split(levels[..., lagged.anchors[1:]], 2, axis=2)
        before, usual = np.median(then, axis=2), np.median(ago, axis=2)
    else:
        before = usual = means[..., -1]
    level, high = last[..., 0] - before, last.max(axis=2) - before
    beyond = [np.maximum(sign - size * typical, 0.0) for sign in (level, high) for size in LARGE]
    signs = [level, high, last[..., 0] - last[..., 1], usual - before, *beyond]
    return usual, np.concatenate([np.stack(signs, axis=2), means - before[..., None]], axis=2)


def _learned(measured: History, scale: Scale) -> Rule:
    """The rule for `measured`, a history on `scale`."""
    lagged = measured.lagged
    typical = float(np.median(np.abs(np.diff(measured.whole.values))))
    made = []
    for lead in range(1, lagged.steps + 1):
        targets = measured.targets(lead)
        usual, signs = _signs(lagged, typical, measured.whole, targets - lead + 1, np.array([lead]))
        left, relevance = measured.seen.values[targets] - usual[:, 0], np.ones(signs.shape[2])
        made.append(fit_median(signs[:, 0], left, relevance, PENALTY))
    weights = np.array([linear.weights[:, 0] for linear in made])
    return Rule(lagged, scale, typical, weights, np.array([linear.intercepts[0] for linear in made]))


def _judged(measured: History, scale: Scale) -> FloatArray:
    """The errors in the last part of the history of a rule that learned from the first."""
    known = measured.judged_from
    rule = _learned(measured.until(known), scale)
    return errors_of(
        lambda origins: rule.predict(measured.whole, origins),
        measured.seen.values,
        known,
        measured.lagged.steps,
    )
