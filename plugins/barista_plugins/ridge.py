"""Ridge: a regularised linear rule per lead on lags, seasons and the calendar.

Linear rules are what short histories allow, and they go beyond what they have seen, which trees do
not. The scale that demand is measured on and the penalty are chosen on the later parts of the
history, each forecast from the parts before; the choice is made again once the longest season has
passed.
"""

from dataclasses import dataclass, replace

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import WEEK_S, Demand, FloatArray
from barista_plugins.lagged import Lagged, Positions
from barista_plugins.learning import History
from barista_plugins.recent_errors import errors_of
from barista_plugins.robust_ridge import fit_median, foretold
from barista_plugins.scales import KINDS, Scale
from barista_plugins.track import Track

PENALTIES = 10.0 ** np.arange(-6.0, 0.0, 0.5)
JUDGED_ROWS = 4_000
"""Rows that choices are made on at most, evenly spaced."""
CLIPPED = 0.95
"""Quantile that errors are clipped at when choices are judged: no burst decides them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The weights (steps, inputs) and intercepts (steps,) of all leads, on `scale`; chosen at `chosen_s`."""

    lagged: Lagged
    scale: Scale
    penalty: float
    chosen_s: float
    weights: FloatArray
    intercepts: FloatArray

    def predict(self, demand: Demand, origins: Positions) -> FloatArray:
        """Estimates after each origin (n,) of `demand`, all on the rule's scale: shape (n, steps, 1)."""
        inputs = self.lagged.read(demand, origins, np.arange(1, self.lagged.steps + 1))
        made: FloatArray = np.einsum("nsi,si->ns", inputs, self.weights) + self.intercepts
        return made[..., None]


@dataclass(frozen=True, slots=True)
class RidgeState:
    """A fitted rule and the track that it moves on."""

    context: ForecastContext
    rule: Rule
    track: Track


@dataclass(frozen=True, slots=True)
class RidgeForecaster:
    """Linear rules for the median of each lead; quantiles by their recent errors."""

    name: str = "ridge"

    def fit(self, demand: Demand, context: ForecastContext, warm: RidgeState | None = None) -> RidgeState:
        """Fit to `demand`; a `warm` state whose choices still hold keeps them, and its errors."""
        history = History.of(self.name, demand, context)
        if warm is not None and warm.context == context and _still_chosen(warm.rule, history):
            rule, errors = warm.rule, warm.track.pending.errors
        else:
            rule, errors = _judged(history)
        measured = history.on(rule.scale)
        rule = _learned(rule, measured)
        return RidgeState(context, rule, Track.begun(measured, rule.predict, errors))

    def update(self, state: RidgeState, new_values: Demand) -> RidgeState:
        """The state with `new_values` at its end."""
        measured = replace(new_values, values=state.rule.scale.apply(new_values.values))
        return replace(state, track=state.track.followed(measured, state.rule.predict))

    def forecast(self, state: RidgeState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The estimates of the leads, with the quantiles of their recent errors."""
        fitted, undo = state.context.levels, state.rule.scale.undo
        at = state.track.recent
        return state.track.pending.forecast(at.end_s, at.step_s, steps, fitted, levels, undo, self.name)


def _still_chosen(rule: Rule, history: History) -> bool:
    held_s = max(history.lagged.distances, default=0) * history.seen.step_s or WEEK_S
    return rule.lagged == history.lagged and history.seen.end_s - rule.chosen_s < held_s


def _judged(history: History) -> tuple[Rule, FloatArray]:
    """A rule with its choices made on the first part of the history, and its errors in the rest."""
    known = history.judged_from
    first = history.until(known)
    rule = _chosen(first)
    rule, measured = _learned(rule, first.on(rule.scale)), history.on(rule.scale)
    errors = errors_of(
        lambda origins: rule.predict(measured.whole, origins),
        measured.seen.values,
        known,
        history.lagged.steps,
    )
    return replace(rule, chosen_s=history.seen.end_s), errors


def _chosen(history: History) -> Rule:
    """The scale and penalty that forecast the later parts of `history` best, over a near and a far lead."""
    scales = [Scale.of(history.seen.values, kind) for kind in KINDS]
    miss = np.zeros((len(scales), len(PENALTIES)))
    for lead in sorted({1, history.lagged.steps}):
        errors = np.stack([_errors(history, scale, lead) for scale in scales])
        miss += np.minimum(errors, np.quantile(errors, CLIPPED)).mean(axis=1)
    kind, penalty = divmod(int(miss.argmin()), len(PENALTIES))
    nothing = np.empty(0)
    end_s = history.seen.end_s
    return Rule(history.lagged, scales[kind], float(PENALTIES[penalty]), end_s, nothing, nothing)


def _errors(history: History, scale: Scale, lead: int) -> FloatArray:
    """Absolute errors in requests/s over the later parts of `history`, shape (m, penalties)."""
    inputs, outcomes = history.on(scale).rows(lead)
    thin = -(-len(outcomes) // JUDGED_ROWS)
    made = scale.undo(foretold(inputs[::thin], outcomes[::thin], history.lagged.relevance, PENALTIES))
    errors: FloatArray = np.abs(scale.undo(outcomes[::thin][-len(made) :])[:, None] - made)
    return errors


def _learned(rule: Rule, measured: History) -> Rule:
    """The rule with weights fitted to `measured`, a history on its scale."""
    penalty, relevance = np.array([rule.penalty]), rule.lagged.relevance
    made = [fit_median(*measured.rows(lead), relevance, penalty) for lead in range(1, rule.lagged.steps + 1)]
    weights = np.array([linear.weights[:, 0] for linear in made])
    return replace(rule, weights=weights, intercepts=np.array([linear.intercepts[0] for linear in made]))
