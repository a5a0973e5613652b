"""Burst: how far demand stands out from the usual now, and how fast that passes.

During a burst the seasons say little: what counts is how high demand stands above the usual, whether it still
rises, and how long such heights have lasted in the past. So this forecaster looks at the last minutes only,
as distances from the usual (the median of the same moment in earlier seasons), and learns from past
bursts, per lead, how much of each distance is left by then: small ones may last where large ones fade.

The highest quantile has a rule of its own, learned by its pinball loss. A burst beyond all experience may
fade or grow: a bound that follows it in proportion is dear for minutes, one that does not is broken by far.
So that rule measures demand on a scale that does not tame bursts, and errors of calmer days do not shift it.
"""

from dataclasses import dataclass, replace

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray
from barista_plugins.lagged import LAGS, SPANS, Lagged, Positions
from barista_plugins.learning import History
from barista_plugins.recent_errors import errors_of
from barista_plugins.robust_ridge import fit_quantile
from barista_plugins.scales import Scale
from barista_plugins.track import Track

PENALTY = 1e-3
LARGE = (2.0, 6.0)
"""Distances from the usual, in typical changes per step, beyond which they may fade otherwise."""
MEDIAN_SCALE, UPPER_SCALE = "log", "root"


@dataclass(frozen=True, slots=True)
class Fading:
    """What is left of each sign of a burst at one quantile: weights (steps, signs), intercepts (steps,).

    Demand is measured on `scale`; `typical` is the size of a typical change from one step to the next.
    """

    scale: Scale
    typical: float
    weights: FloatArray
    intercepts: FloatArray

    @staticmethod
    def learned(history: History, kind: str, level: float) -> "Fading":
        """The rule for the quantile at `level`, on a scale of this `kind`, from `history` in requests/s."""
        scale = Scale.of(history.seen.values, kind)
        measured, lagged = history.on(scale), history.lagged
        typical = float(np.median(np.abs(np.diff(measured.whole.values))))
        made = []
        for lead in range(1, lagged.steps + 1):
            targets = measured.targets(lead)
            usual, signs = _signs(lagged, typical, measured.whole, targets - lead + 1, np.array([lead]))
            left, relevance = measured.seen.values[targets] - usual[:, 0], np.ones(signs.shape[2])
            made.append(fit_quantile(signs[:, 0], left, relevance, PENALTY, level))
        weights = np.array([linear.weights[:, 0] for linear in made])
        return Fading(scale, typical, weights, np.array([linear.intercepts[0] for linear in made]))

    def predict(self, lagged: Lagged, demand: Demand, origins: Positions) -> FloatArray:
        """Its quantile after each origin (n,) of `demand`, all in requests/s: shape (n, steps)."""
        measured = replace(demand, values=self.scale.apply(demand.values))
        leads = np.arange(1, lagged.steps + 1)
        usual, signs = _signs(lagged, self.typical, measured, origins, leads)
        return self.scale.undo(usual + np.einsum("nms,ms->nm", signs, self.weights) + self.intercepts)


@dataclass(frozen=True, slots=True)
class Rule:
    """How bursts fade: for the median, and for the highest quantile; `scale` is that of its errors."""

    lagged: Lagged
    scale: Scale
    fadings: tuple[Fading, ...]

    @staticmethod
    def learned(history: History, context: ForecastContext) -> "Rule":
        """The rule for `history`, in requests/s."""
        median = Fading.learned(history, MEDIAN_SCALE, 0.5)
        highest = max(context.levels)
        upper = (Fading.learned(history, UPPER_SCALE, highest),) if highest > 0.5 else ()
        return Rule(history.lagged, median.scale, (median, *upper))

    def predict(self, demand: Demand, origins: Positions) -> FloatArray:
        """Estimates after each origin (n,) of `demand`, all on its scale: shape (n, steps, fadings)."""
        plain = replace(demand, values=self.scale.undo(demand.values))
        made = [fading.predict(self.lagged, plain, origins) for fading in self.fadings]
        return self.scale.apply(np.stack(made, axis=2))


@dataclass(frozen=True, slots=True)
class BurstState:
    """A fitted rule and the track that it moves on."""

    context: ForecastContext
    rule: Rule
    track: Track


@dataclass(frozen=True, slots=True)
class BurstForecaster:
    """The usual, and what is left of the distance from it; quantiles but the highest by recent errors."""

    name: str = "burst"

    def fit(self, demand: Demand, context: ForecastContext, warm: BurstState | None = None) -> BurstState:
        """Learn from the past bursts of `demand`; the errors of a `warm` state are kept."""
        history = History.of(self.name, demand, context)
        rule = Rule.learned(history, context)
        if warm is not None and warm.context == context and warm.rule.lagged == history.lagged:
            rule, errors = replace(rule, scale=warm.rule.scale), warm.track.pending.errors
        else:
            errors = _judged(history, rule.scale, context)
        measured = history.on(rule.scale)
        return BurstState(context, rule, Track.begun(measured, rule.predict, errors))

    def update(self, state: BurstState, new_values: Demand) -> BurstState:
        """The state with `new_values` at its end."""
        measured = replace(new_values, values=state.rule.scale.apply(new_values.values))
        return replace(state, track=state.track.followed(measured, state.rule.predict))

    def forecast(self, state: BurstState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The median with the quantiles of its recent errors, and the highest quantile as learned."""
        fitted, undo, at = state.context.levels, state.rule.scale.undo, state.track.recent
        pending = state.track.pending
        return pending.forecast(at.end_s, at.step_s, steps, fitted, levels, undo, self.name, shifted=False)


def _judged(history: History, scale: Scale, context: ForecastContext) -> FloatArray:
    """The errors, on `scale`, in the last part of `history` of a rule that learned from the first."""
    known = history.judged_from
    rule = replace(Rule.learned(history.until(known), context), scale=scale)
    measured = history.on(scale)
    return errors_of(
        lambda origins: rule.predict(measured.whole, origins),
        measured.seen.values,
        known,
        measured.lagged.steps,
    )


def _signs(
    lagged: Lagged, typical: float, demand: Demand, origins: Positions, leads: Positions
) -> tuple[FloatArray, FloatArray]:
    """The usual at each target (n, m), and the signs of a burst before it (n, m, signs).

    Signs are the usual itself, the distances from the usual at the origin of the last value, the highest of
    the last ones and means over longer spans, what of the former exceeds what is large, and how demand and
    the usual move.
    """
    levels = lagged.levels(demand, origins, leads)
    last, means = levels[..., : len(LAGS)], levels[..., len(LAGS) : len(LAGS) + len(SPANS)]
    if lagged.distances:
        then, ago = np.split(levels[..., lagged.anchors[1:]], 2, axis=2)
        before, usual = _medians(then), _medians(ago)
    else:
        before = usual = means[..., -1]
    level, high = last[..., 0] - before, last.max(axis=2) - before
    beyond = [np.maximum(sign - size * typical, 0.0) for sign in (level, high) for size in LARGE]
    signs = [usual, level, high, last[..., 0] - last[..., 1], usual - before, *beyond]
    return usual, np.concatenate([np.stack(signs, axis=2), means - before[..., None]], axis=2)


def _medians(values: FloatArray) -> FloatArray:
    """Medians along the last axis: of a few values each, for which `np.median` takes its time."""
    rising, last = np.sort(values, axis=-1), values.shape[-1] - 1
    medians: FloatArray = 0.5 * (rising[..., last // 2] + rising[..., last - last // 2])
    return medians
