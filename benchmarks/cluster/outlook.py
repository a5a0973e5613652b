"""What rates come, as seen a second ago: forecasts by the minute, and what the minute shows already.

Forecasts are quantiles of the requests in each of the next minutes. Each quantile is taken for one course of
events, as likely as the levels between its neighbours. The requests of the minute under way make some courses
likelier than others (Poisson), and its own rate better known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barista.forecast.ensemble import Ensemble, EnsembleState
from barista.ports.forecaster import ForecastContext
from barista.values.series import DAY_S, Calendar, Demand
from benchmarks.cluster.queueing import Floats, Ints
from benchmarks.cluster.trace import MINUTE_S, Case

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
AHEAD = 8
"""Minutes that are forecast."""
MEMBERS = ("seasonal-naive", "last-value", "ridge", "smoothing", "burst")
BELIEF_S = 5.0
"""Seconds of seeing that a forecast of the minute under way is worth."""
CAUTION = 0.05
"""How much of the evidence counts between courses: minutes overlap, and a burst is not a trend."""
LEAST_RPS = 0.02


@dataclass(frozen=True, slots=True)
class Outlook:
    """`rates` (services, courses, steps): requests/s from now on; `weights` (services, courses) sum to 1."""

    rates: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class Foresight:
    """Perfect: the rates of the trace itself."""

    case: Case

    def seen(self, now_s: int, steps: int, step_s: float) -> Outlook:
        """The rates of the next `steps` steps, for certain."""
        minutes = ((now_s + step_s * (np.arange(steps) + 0.5)) // MINUTE_S).astype(int)
        known = minutes < len(self.case.trace)
        rates: Floats = self.case.trace[np.minimum(minutes, len(self.case.trace) - 1)].T / MINUTE_S * known
        return Outlook(np.ascontiguousarray(rates[:, None, :]), np.ones((len(rates), 1)))


@dataclass(frozen=True, slots=True)
class Forecasts:
    """`quantiles` (services, 1 + minutes, levels, AHEAD): requests/s, before each minute; requests."""

    quantiles: Floats
    arrivals_s: Sequence[Floats]
    seconds: int

    def seen(self, now_s: int, steps: int, step_s: float) -> Outlook:
        """The courses that the next `steps` steps may take, by what was sent up to a second ago."""
        seen_s = now_s - 1
        minute = min(seen_s // MINUTE_S, self.quantiles.shape[1] - 1)
        elapsed_s = seen_s - minute * MINUTE_S
        moments = now_s + step_s * (np.arange(steps) + 0.5)
        leads = (moments // MINUTE_S).astype(int) - minute
        courses = np.maximum(self.quantiles[:, minute], LEAST_RPS)
        sent = np.array([_between(a, minute * MINUTE_S, seen_s) for a in self.arrivals_s])[:, None]
        first = courses[:, :, 0]
        evidence = CAUTION * (sent * np.log(first) - first * elapsed_s)
        weights = _prior() * np.exp(evidence - evidence.max(axis=1, keepdims=True))
        rates = courses[:, :, np.clip(leads, 0, AHEAD - 1)]
        now = (BELIEF_S * first + sent) / (BELIEF_S + elapsed_s)
        rates = np.where(leads == 0, now[:, :, None], rates) * (moments < self.seconds).astype(float)
        return Outlook(rates, weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Forecaster:
    """The forecaster, fitted to a service's history; one a service."""

    state: EnsembleState
    minutes: int

    @staticmethod
    def fitted(history: Ints, day_minutes: int) -> "Forecaster":
        """Fitted to requests per minute of whole days that end where the replay begins."""
        calendar = Calendar(rate=DAY_S / (day_minutes * MINUTE_S), seasons_s=(DAY_S,))
        demand = Demand(-len(history) * float(MINUTE_S), MINUTE_S, history / MINUTE_S)
        return Forecaster(
            Ensemble(MEMBERS).fit(demand, ForecastContext(calendar, AHEAD, LEVELS)), len(history)
        )

    def rolled(self, arrivals_s: Floats, minutes: int) -> Floats:
        """Quantiles before each minute (1 + minutes, levels, AHEAD), each from what was sent before it."""
        ensemble, state = Ensemble(MEMBERS), self.state
        counts = np.bincount((arrivals_s // MINUTE_S).astype(int), minlength=minutes + 1)
        said = np.zeros((1 + minutes, len(LEVELS), AHEAD))
        for minute in range(1 + minutes):
            said[minute] = ensemble.forecast(state, AHEAD, LEVELS).quantiles
            news = Demand(minute * float(MINUTE_S), MINUTE_S, counts[minute : minute + 1] / MINUTE_S)
            state = ensemble.update(state, news)
        return said


def _prior() -> Floats:
    middles = (np.array(LEVELS[1:]) + np.array(LEVELS[:-1])) / 2
    return np.diff(np.concatenate([[0.0], middles, [1.0]]))


def _between(arrivals_s: Floats, from_s: float, until_s: float) -> int:
    return int(np.searchsorted(arrivals_s, until_s, "right") - np.searchsorted(arrivals_s, from_s, "left"))
