"""NeuralProphet as a forecaster: learned from lags, seasons and quantiles (arXiv 2111.15397).

It trains NeuralProphet's auto-regression on the last values together with the values a day and a week
earlier (regressors whose future is known), all quantiles in one network. Trend and Fourier terms are
left out: over minutes the last values tell the level better, and the last weeks the season. Training begins
at the least-squares solution, from where a few epochs do what takes dozens from random weights. A cold fit
first leaves out the end of the history to learn how wrong it is there. A warm one starts from the previous
weights. The state carries the weights as arrays and is evaluated without torch.
"""

import logging
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray
from barista_plugins.arnet import Inputs, Network
from barista_plugins.gaps import filled, followed_by, trimmed
from barista_plugins.recent_errors import KEPT, errors_of, kept, shifts, stated

TRAINED_STEPS = 10_000
"""Latest steps trained on at most, which bounds the time of a fit."""
FEWEST_SAMPLES = 32
HELD_OUT_SHARE = 0.25
SCALE_CHANGE = 2.0
"""A change of the demand's spread by this factor makes earlier weights worthless."""


@dataclass(frozen=True, slots=True)
class NeuralProphetState:
    """A trained network, the demand its next forecast reads (gaps filled), and its latest errors."""

    context: ForecastContext
    inputs: Inputs
    network: Network
    mean: float
    spread: float
    recent: Demand
    errors: FloatArray

    def predict(self, values: FloatArray, origins: npt.NDArray[np.int64]) -> FloatArray:
        """Median and quantiles in requests/s from `values`, as `Network.predict`."""
        made = self.network.predict(self.inputs, (values - self.mean) / self.spread, origins)
        return made * self.spread + self.mean

    def quantiles(self, values: FloatArray, origins: npt.NDArray[np.int64]) -> FloatArray:
        """As `predict`, at the context's levels: shape (n, steps, len(levels))."""
        made, own = self.predict(values, origins), (0.5, *self.network.levels)
        return made[..., [own.index(level) for level in self.context.levels]]


@dataclass(frozen=True, slots=True)
class NeuralProphetForecaster:
    """NeuralProphet with AR lags and season regressors; options are those of its training."""

    lags: int = 24
    epochs: int = 6
    warm_epochs: int = 3
    learning_rate: float = 0.01
    name: str = "neuralprophet"

    def fit(
        self, demand: Demand, context: ForecastContext, warm: NeuralProphetState | None = None
    ) -> NeuralProphetState:
        """Train on `demand`, from the weights of `warm` where they fit."""
        demand = trimmed(demand)
        seasons = context.calendar.season_steps(demand.step_s)
        inputs = Inputs.of(len(demand), self.lags, context.steps, seasons, FEWEST_SAMPLES)
        seen = int(np.isfinite(demand.values).sum())
        need = self.lags + context.steps + FEWEST_SAMPLES
        if seen < max(need, len(demand) // 2):
            raise ValueError(
                f"{self.name}: demand of {len(demand)} steps with {seen} values:"
                f" need {need} values, and half of the steps seen"
            )
        values = filled(demand.values, inputs.distances)
        if warm is not None and _still_fits(warm, inputs, context, demand, values):
            return self._refit(demand, values, warm)
        return self._first_fit(demand, values, inputs, context)

    def update(self, state: NeuralProphetState, new_values: Demand) -> NeuralProphetState:
        """Move on by `new_values`; the forecasts made before them are now known to be this wrong."""
        recent, new = state.recent, followed_by(state.recent, new_values)
        outcomes = np.concatenate([recent.values, new])
        values = filled(outcomes, state.inputs.distances)
        errors = errors_of(
            lambda origins: state.quantiles(values, origins), outcomes, len(recent), state.inputs.steps
        )
        moved = Demand(recent.start_s, recent.step_s, values).last(_kept_steps(state.inputs))
        return replace(state, recent=moved, errors=kept(state.errors, errors))

    def forecast(self, state: NeuralProphetState, steps: int, levels: tuple[float, ...]) -> Forecast:
        """The network's quantiles, shifted by their recent errors; the mean is taken to be the median."""
        if steps > state.inputs.steps:
            raise ValueError(f"{self.name}: {steps} steps asked, fitted for {state.inputs.steps}")
        recent, fitted = state.recent, state.context.levels
        raw = state.quantiles(recent.values, np.array([len(recent)]))[0]
        quantiles = raw + shifts(state.errors, fitted)
        mean = np.array([np.interp(0.5, fitted, row) for row in np.sort(quantiles, axis=1)])
        return stated(recent.end_s, recent.step_s, mean[:steps], quantiles[:steps], fitted, levels, self.name)

    def _first_fit(
        self, demand: Demand, values: FloatArray, inputs: Inputs, context: ForecastContext
    ) -> NeuralProphetState:
        usable = len(values) - inputs.reach - inputs.lags - inputs.steps
        held_out = min(KEPT, int(usable * HELD_OUT_SHARE))
        known = len(values) - held_out
        mean, spread = float(np.mean(values)), float(np.std(values)) or 1.0
        head = train(self, inputs, context, (values[:known] - mean) / spread, None)
        empty = np.empty((0, inputs.steps, len(context.levels)))
        state = NeuralProphetState(context, inputs, head, mean, spread, demand, empty)
        errors = errors_of(
            lambda origins: state.quantiles(values, origins), demand.values, known, inputs.steps
        )
        return self._refit(demand, values, replace(state, errors=errors))

    def _refit(self, demand: Demand, values: FloatArray, state: NeuralProphetState) -> NeuralProphetState:
        scaled = (values - state.mean) / state.spread
        network = train(self, state.inputs, state.context, scaled, state.network)
        recent = Demand(demand.start_s, demand.step_s, values).last(_kept_steps(state.inputs))
        return replace(state, network=network, recent=recent)


def _kept_steps(inputs: Inputs) -> int:
    # One horizon more than a forecast reads: errors of new values need the origins before them.
    return inputs.memory + 2 * inputs.steps


def _still_fits(
    warm: NeuralProphetState, inputs: Inputs, context: ForecastContext, demand: Demand, values: FloatArray
) -> bool:
    change = float(np.std(values)) / warm.spread
    return (warm.inputs, warm.context, warm.recent.step_s) == (
        inputs,
        context,
        demand.step_s,
    ) and 1 / SCALE_CHANGE < change < SCALE_CHANGE


def train(
    options: NeuralProphetForecaster,
    inputs: Inputs,
    context: ForecastContext,
    values: FloatArray,
    warm: Network | None,
) -> Network:
    """Train NeuralProphet on `values` (scaled, without gaps), from the weights of `warm` if given."""
    blank = Network.blank(inputs, tuple(level for level in context.levels if level != 0.5))
    if not np.ptp(values):
        return blank
    recent = values[-(TRAINED_STEPS + inputs.reach) :]
    start = warm or Network.by_least_squares(inputs, blank.levels, recent)
    epochs = options.epochs if warm is None else options.warm_epochs
    at = np.arange(max(inputs.reach, len(values) - TRAINED_STEPS), len(values))
    columns = inputs.seasonal(values, at)
    # NeuralProphet refuses a regressor that never varies; nothing can be learned from it either.
    varying = np.flatnonzero(np.ptp(columns, axis=0) > 0)
    model = neural_prophet(options.learning_rate, epochs, inputs, start, context.seed, varying, len(at))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations between its libraries
        model.fit(season_table(values[at], columns[:, varying]), freq="min", minimal=True)
    return Network.of(model.model.state_dict(), start, varying)


def neural_prophet(
    learning_rate: float,
    epochs: int,
    inputs: Inputs,
    start: Network,
    seed: int,
    columns: npt.NDArray[np.int64],
    rows: int,
) -> Any:
    """A NeuralProphet for `rows` rows with the season inputs `columns`, with the weights of `start`."""
    # Its progress and advice are nothing a controller's log should hold. The root of its loggers is set by
    # its import, the one that misses plotting libraries speaks during it.
    logging.getLogger("NP.plotly").setLevel(logging.CRITICAL)
    import torch
    from neuralprophet import NeuralProphet, set_random_seed

    for name in ("NP", "pytorch_lightning", "py.warnings"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

    class Started(NeuralProphet):  # type: ignore[misc]  # the library is untyped
        """NeuralProphet that starts from given weights."""

        def _init_model(self) -> Any:
            model = super()._init_model()
            weights = {name: torch.tensor(array) for name, array in start.weights(columns).items()}
            model.load_state_dict(weights, strict=False)
            return model

    torch.set_num_threads(1)
    set_random_seed(seed)
    model = Started(
        growth="off",
        n_lags=inputs.lags,
        n_forecasts=inputs.steps,
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
        quantiles=list(start.levels),
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=int(np.clip(rows // 25, 32, 512)),
        normalize="off",
    )
    for i in range(len(columns)):
        model.add_future_regressor(f"season{i}", normalize="off")
    return model


def season_table(values: FloatArray, columns: FloatArray) -> Any:
    """What NeuralProphet trains on: one row a step, on a nominal time axis.

    Nothing in the network depends on the time of day but through its season inputs, so the axis needs
    no calendar, and no clock change can tear it.
    """
    import pandas as pd

    at = pd.date_range("2000-01-01", periods=len(values), freq="min")
    return pd.DataFrame({"ds": at, "y": values} | {f"season{i}": c for i, c in enumerate(columns.T)})
