"""A track: what a rule that reads recent demand keeps as it moves on, value by value."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from barista.values.series import Demand, FloatArray
from barista_plugins.gaps import filled, followed_by
from barista_plugins.lagged import Lagged, Positions
from barista_plugins.learning import History
from barista_plugins.pending import Pending

Predict = Callable[[Demand, Positions], FloatArray]
"""From demand without gaps and origins (n,) in it to estimates, shape (n, steps, k)."""


@dataclass(frozen=True, slots=True)
class Track:
    """The recent demand that the next forecast reads, gaps filled, and what is pending at its end.

    Both are on the scale of the rule.
    """

    recent: Demand
    pending: Pending
    lagged: Lagged

    @staticmethod
    def begun(history: History, predict: Predict, errors: FloatArray) -> "Track":
        """The track at the end of `history`, with the known `errors` (n, steps, k)."""
        end, steps = len(history), history.lagged.steps
        made = predict(history.whole, np.arange(end - steps + 1, end + 1))
        recent = history.whole.last(history.lagged.memory)
        return Track(recent, Pending(made, errors), history.lagged)

    def followed(self, new_values: Demand, predict: Predict) -> "Track":
        """The track moved on by `new_values`."""
        known, new = len(self.recent), followed_by(self.recent, new_values)
        if not len(new):
            return self
        values = filled(np.concatenate([self.recent.values, new]), self.lagged.distances)
        whole = replace(self.recent, values=values)
        made = predict(whole, np.arange(known + 1, len(whole) + 1))
        return replace(self, recent=whole.last(self.lagged.memory), pending=self.pending.followed(new, made))
