"""AR-Net in numpy: the trained network evaluated without torch, and the inputs it reads.

The network NeuralProphet trains here is small: a bias, one weight per season input, and a linear
auto-regression on what these leave unexplained of the last values (AR-Net, arXiv 1911.12436). Evaluated
with numpy a forecast takes well under a millisecond, and its process never imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from barista.values.series import FloatArray

Positions = npt.NDArray[np.int64]
BIAS, AUTO = "trend.bias", "ar_net.0.weight"
SEASONAL = "future_regressors.regressor_params.additive"
"""NeuralProphet's names of the weights."""
AVERAGED = 3
"""Values, each a season apart, that the longest season's mean is taken over."""
SHRUNK = 1e-3
"""Penalty of the least squares that training begins at, as a share of the values' variance."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the network reads: the last `lags` values, and what was seen whole seasons before each step.

    One input per season holds the value at that distance; one more, for the longest, the mean of up
    to three such values: a season's habit, with less of its noise.
    """

    lags: int
    steps: int
    distances: tuple[int, ...]

    @staticmethod
    def of(n: int, lags: int, steps: int, seasons: tuple[int, ...], fewest: int) -> "Inputs":
        """The inputs for a history of `n` steps; seasons that it does not hold twice are left out.

        A distance is the smallest multiple of its season that reaches back over all `steps`, so
        that the value is always known. `fewest` is the number of steps needed besides.
        """
        distances = tuple(sorted({-(-steps // season) * season for season in seasons}))
        return Inputs(lags, steps, tuple(d for d in distances if n >= d + max(d, lags + steps + fewest)))

    @property
    def count(self) -> int:
        """Number of season inputs."""
        return len(self.distances) + bool(self.distances)

    @property
    def reach(self) -> int:
        """Steps before a step that its season inputs read, at least."""
        return max(self.distances, default=0)

    @property
    def memory(self) -> int:
        """Steps before an origin that make a difference to its forecast."""
        return AVERAGED * self.reach + self.lags

    def seasonal(self, values: FloatArray, at: Positions) -> FloatArray:
        """Season inputs for the positions `at` of `values`, shape (\\*at.shape, count)."""
        columns = [values[at - distance] for distance in self.distances]
        if self.distances:
            back = at[..., None] - self.reach * np.arange(1, AVERAGED + 1)
            known = back >= 0
            columns.append((values[np.maximum(back, 0)] * known).sum(axis=-1) / known.sum(axis=-1))
        return np.stack(columns, axis=-1) if columns else np.empty((*at.shape, 0))


@dataclass(frozen=True, slots=True)
class Network:
    """The trained weights, with q outputs: output 0 is the median, the rest distances from it.

    `bias` (q,), `seasonal` (q, season inputs), `auto` (steps * q, lags); `levels` are the q - 1 quantiles
    besides the median, rising.
    """

    bias: FloatArray
    seasonal: FloatArray
    auto: FloatArray
    levels: tuple[float, ...]

    @staticmethod
    def blank(inputs: Inputs, levels: tuple[float, ...]) -> "Network":
        """A network that has learned nothing: it says 0, whatever it sees."""
        q = 1 + len(levels)
        return Network(
            np.zeros(q), np.zeros((q, inputs.count)), np.zeros((inputs.steps * q, inputs.lags)), levels
        )

    @staticmethod
    def by_least_squares(inputs: Inputs, levels: tuple[float, ...], values: FloatArray) -> "Network":
        """Where training begins: a close solution in closed form, for `values` (n,) in the network's units.

        Season weights first, the auto-regression on what they leave, and the distances that its errors have.
        """
        network, known = Network.blank(inputs, levels), np.arange(inputs.reach, len(values))
        columns = inputs.seasonal(values, known)
        seasonal, bias = _ridge(columns, values[known, None])
        network.seasonal[0], network.bias[0] = seasonal[:, 0], bias[0]
        left = np.concatenate([np.zeros(inputs.reach), values[known] - columns @ seasonal[:, 0] - bias[0]])
        origins = np.arange(inputs.reach + inputs.lags, len(values) - inputs.steps + 1)
        ahead = left[origins[:, None] + np.arange(inputs.steps)]
        auto, _ = _ridge(left[origins[:, None] - inputs.lags + np.arange(inputs.lags)], ahead)
        network.auto[:: 1 + len(levels)] = auto.T
        made = network.predict(inputs, values, origins)[..., 0]
        errors = values[origins[:, None] + np.arange(inputs.steps)] - made
        network.bias[1:] = np.abs(np.quantile(errors, levels)) if len(levels) else 0.0
        return network

    @staticmethod
    def of(trained: Mapping[str, Any], start: "Network", columns: Positions) -> "Network":
        """The weights `trained` (tensors by NeuralProphet's names) with the season inputs `columns`.

        Season inputs that were not trained keep their weights from `start`.
        """
        arrays = {name: tensor.numpy().astype(float) for name, tensor in trained.items()}
        seasonal = start.seasonal.copy()
        if len(columns):
            seasonal[:, columns] = arrays[SEASONAL]
        return Network(arrays[BIAS], seasonal, arrays[AUTO], start.levels)

    def weights(self, columns: Positions) -> dict[str, FloatArray]:
        """The weights by NeuralProphet's names, with the season inputs `columns`."""
        some = {SEASONAL: self.seasonal[:, columns]} if len(columns) else {}
        return {BIAS: self.bias, AUTO: self.auto} | some

    def predict(self, inputs: Inputs, values: FloatArray, origins: Positions) -> FloatArray:
        """Median and quantiles at `levels` after each origin, shape (n, steps, 1 + len(levels)).

        An origin o has seen ``values[:o]``; all are in the network's units.
        """
        around = origins[:, None] + np.arange(-inputs.lags, inputs.steps)
        explained = self.bias + inputs.seasonal(values, around) @ self.seasonal.T
        before, ahead = explained[:, : inputs.lags, 0], explained[:, inputs.lags :]
        unexplained = values[around[:, : inputs.lags]] - before
        return self._quantiles(ahead + (unexplained @ self.auto.T).reshape(ahead.shape))

    def _quantiles(self, out: FloatArray) -> FloatArray:
        """Distances from the median to quantiles that do not cross, as NeuralProphet does it."""
        median, distance = out[..., :1], np.maximum(out[..., 1:], 0.0)
        below = sum(level < 0.5 for level in self.levels)
        low = np.maximum.accumulate(distance[..., below - 1 :: -1] if below else distance[..., :0], axis=-1)
        high = np.maximum.accumulate(distance[..., below:], axis=-1)
        return np.concatenate([median, median - low[..., ::-1], median + high], axis=-1)


def _ridge(inputs: FloatArray, outcomes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (p, k) and intercepts (k,) of `outcomes` (n, k) on `inputs` (n, p), slightly shrunk."""
    center, level = inputs.mean(axis=0), outcomes.mean(axis=0)
    rows = inputs - center
    gram = rows.T @ rows + SHRUNK * len(rows) * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (outcomes - level))
    return weights, level - center @ weights
