"""Trees: gradient boosting (LightGBM) on what a small linear base leaves unexplained.

Trees find what a linear rule cannot say: that a Monday morning differs, that a burst fades faster by
night. But they never say more than they have seen. So they learn the difference to a base, a
regression on the last value and those of earlier seasons, from inputs that are differences to it as
well: what is learned at one level of demand holds at another. One model serves all leads, with the
lead among its inputs; a second one gives the highest quantile.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray
from barista_plugins.forest import Forest
from barista_plugins.lagged import Lagged, Positions
from barista_plugins.learning import History
from barista_plugins.recent_errors import errors_of
from barista_plugins.robust_ridge import fit_median
from barista_plugins.scales import Scale
from barista_plugins.track import Track

BASE_PENALTY = 1e-4
ROWS_PER_ORIGIN = 2
"""Leads that are learned from at each origin, drawn at random."""
NEWS_SHARE = 0.02
"""Share of new outcomes below which a model is not learned again."""
PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "max_bin": 63,
    "max_depth": 8,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Base:
    """A linear estimate per lead from the anchors: weights (steps, anchors) and intercepts (steps,)."""

    weights: FloatArray
    intercepts: FloatArray

    @staticmethod
    def learned(history: History) -> "Base":
        """The base of each lead for `history`."""
        lagged = history.lagged
        relevance, penalty = np.ones(len(lagged.anchors)), np.array([BASE_PENALTY])
        made = []
        for lead in range(1, lagged.steps + 1):
            targets = history.targets(lead)
            levels = lagged.levels(history.whole, targets - lead + 1, np.array([lead]))[:, 0]
            made.append(
                fit_median(levels[:, lagged.anchors], history.seen.values[targets], relevance, penalty)
            )
        return Base(np.array([m.weights[:, 0] for m in made]), np.array([m.intercepts[0] for m in made]))

    def read(
        self, lagged: Lagged, demand: Demand, origins: Positions, leads: Positions
    ) -> tuple[FloatArray, FloatArray]:
        """The base (n, m), and inputs relative to it (n, m, inputs), for each origin (n,) and lead (m,)."""
        levels = lagged.levels(demand, origins, leads)
        at = leads - 1
        base = np.einsum("nma,ma->nm", levels[:, :, lagged.anchors], self.weights[at]) + self.intercepts[at]
        far = np.broadcast_to(leads, base.shape)
        apart, moments = levels - base[..., None], lagged.moments(demand, origins, leads)
        return base, np.concatenate([apart, moments, base[..., None], far[..., None]], axis=2)


@dataclass(frozen=True, slots=True)
class Rule:
    """A base, and forests for what it leaves: the median's and the highest quantile's.

    A fit before `learn_again_s` would learn from hardly anything new.
    """

    lagged: Lagged
    scale: Scale
    base: Base
    forests: tuple[Forest, ...]
    learn_again_s: float

    def predict(self, demand: Demand, origins: Positions) -> FloatArray:
        """Estimates after each origin (n,) of `demand`, on the rule's scale: shape (n, steps, forests)."""
        leads = np.arange(1, self.lagged.steps + 1)
        base, inputs = self.base.read(self.lagged, demand, origins, leads)
        rows = inputs.reshape(-1, inputs.shape[2])
        left = np.stack([forest.predict(rows) for forest in self.forests], axis=1)
        return base[..., None] + left.reshape(*base.shape, len(self.forests))


@dataclass(frozen=True, slots=True)
class TreesState:
    """A trained rule and the track that it moves on."""

    context: ForecastContext
    rule: Rule
    track: Track


@dataclass(frozen=True, slots=True)
class TreesForecaster:
    """Boosted trees on a linear base; options are those of the boosting."""

    trees: int = 80
    name: str = "trees"

    def fit(self, demand: Demand, context: ForecastContext, warm: TreesState | None = None) -> TreesState:
        """Train on `demand`; a `warm` state that knows nearly all of it only moves on."""
        history = History.of(self.name, demand, context)
        if warm is None or warm.context != context or warm.rule.lagged != history.lagged:
            scale = Scale.of(history.seen.values, "log")
            measured = history.on(scale)
            errors = self._judged(measured, scale, context)
        elif demand.end_s < warm.rule.learn_again_s:
            return self.update(warm, demand)
        else:
            scale, errors = warm.rule.scale, warm.track.pending.errors
            measured = history.on(scale)
        rule = self._learned(measured, scale, context)
        return TreesState(context, rule, Track.begun(measured, rule.predict, errors))

    def update(self, state: TreesState, new_values: Demand) -> TreesState:
        """The state with `new_values` at its end."""
        measured = replace(new_values, values=state.rule.scale.apply(new_values.values))
        return replace(state, track=state.track.followed(measured, state.rule.predict))

    def forecast(self, state: TreesState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The trees' median and highest quantile, with the quantiles of their recent errors."""
        fitted, undo = state.context.levels, state.rule.scale.undo
        at = state.track.recent
        return state.track.pending.forecast(at.end_s, at.step_s, steps, fitted, levels, undo, self.name)

    def _judged(self, measured: History, scale: Scale, context: ForecastContext) -> FloatArray:
        """The errors in the last part of the history of a rule that learned from the first."""
        known = measured.judged_from
        rule = self._learned(measured.until(known), scale, context)
        return errors_of(
            lambda origins: rule.predict(measured.whole, origins),
            measured.seen.values,
            known,
            measured.lagged.steps,
        )

    def _learned(self, measured: History, scale: Scale, context: ForecastContext) -> Rule:
        """A rule trained on `measured`, a history on `scale`."""
        lagged, base = measured.lagged, Base.learned(measured)
        inputs, left = _rows(measured, base, context.seed)
        levels = sorted({0.5, max(0.5, *context.levels)})
        forests = tuple(self._trained(inputs, left, level, context.seed) for level in levels)
        targets = measured.targets(1)
        news_s = NEWS_SHARE * len(targets) * measured.seen.step_s
        return Rule(lagged, scale, base, forests, measured.seen.end_s + news_s)

    def _trained(self, inputs: FloatArray, left: FloatArray, level: float, seed: int) -> Forest:
        import lightgbm

        objective = {"objective": "l1"} if level == 0.5 else {"objective": "quantile", "alpha": level}
        data = lightgbm.Dataset(inputs, left)
        booster = lightgbm.train(PARAMETERS | objective | {"seed": seed}, data, self.trees)
        return Forest.of(booster)


def _rows(measured: History, base: Base, seed: int) -> tuple[FloatArray, FloatArray]:
    """Inputs (n, inputs) and what the base leaves (n,), at a few leads of each origin."""
    lagged, rng = measured.lagged, np.random.default_rng(seed)
    inputs, left = [], []
    for lead in range(1, lagged.steps + 1):
        targets = measured.targets(lead)
        targets = targets[rng.random(len(targets)) < ROWS_PER_ORIGIN / lagged.steps]
        expected, read = base.read(lagged, measured.whole, targets - lead + 1, np.array([lead]))
        inputs.append(read[:, 0])
        left.append(measured.seen.values[targets] - expected[:, 0])
    return np.concatenate(inputs), np.concatenate(left)
