"""What lagged rules learn from: a history without gaps, its true outcomes, and a part held out.

A rule must be judged on what it has not seen. At its first fit the end of the history is held out to learn
how wrong it is there; afterwards it knows the errors that it made live.
"""

from dataclasses import dataclass, replace

import numpy as np

from barista.ports.forecaster import ForecastContext
from barista.values.series import Demand, FloatArray
from barista_plugins.gaps import filled, trimmed
from barista_plugins.lagged import Lagged, Positions
from barista_plugins.recent_errors import KEPT
from barista_plugins.scales import Scale

LEARNED_STEPS = 10_000
"""Latest outcomes that are learned from, which bounds the time of a fit."""
FEWEST_ROWS = 32
HELD_OUT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class History:
    """Demand as it was seen, with gaps, and `whole`, with its gaps filled; both of one length and scale."""

    seen: Demand
    whole: Demand
    lagged: Lagged

    @staticmethod
    def of(name: str, demand: Demand, context: ForecastContext) -> "History":
        """The history of `demand` and the inputs that it has enough of.

        ValueError, in the name of the forecaster `name`, when the demand is too short or has too few values.
        """
        demand = trimmed(demand)
        lagged = Lagged.of(len(demand), context.steps, demand.step_s, context.calendar, FEWEST_ROWS)
        seen = int(np.isfinite(demand.values).sum())
        need = lagged.first + context.steps + FEWEST_ROWS
        if len(demand) < need or seen < len(demand) // 2:
            raise ValueError(
                f"{name}: demand of {len(demand)} steps with {seen} values:"
                f" need {need} steps, and half of the steps seen"
            )
        whole = replace(demand, values=filled(demand.values, lagged.distances))
        return History(demand, whole, lagged)

    def __len__(self) -> int:
        return len(self.seen)

    def on(self, scale: Scale) -> "History":
        """The history measured on `scale`."""
        seen, whole = (replace(d, values=scale.apply(d.values)) for d in (self.seen, self.whole))
        return replace(self, seen=seen, whole=whole)

    def until(self, n: int) -> "History":
        """Its first `n` steps."""
        seen, whole = (replace(d, values=d.values[:n]) for d in (self.seen, self.whole))
        return replace(self, seen=seen, whole=whole)

    @property
    def judged_from(self) -> int:
        """Where the part begins that a first fit holds out to be judged on."""
        usable = len(self) - self.lagged.first - self.lagged.steps
        return len(self) - min(KEPT, int(usable * HELD_OUT_SHARE))

    def targets(self, lead: int) -> Positions:
        """The latest positions that can be learned from at `lead`: seen, with all their inputs."""
        first = max(self.lagged.first + lead - 1, len(self) - LEARNED_STEPS)
        at = np.arange(first, len(self))
        found: Positions = at[np.isfinite(self.seen.values[at])]
        return found

    def rows(self, lead: int) -> tuple[FloatArray, FloatArray]:
        """Inputs (n, inputs) and outcomes (n,) of one lead, in the order of time."""
        targets = self.targets(lead)
        inputs = self.lagged.read(self.whole, targets - lead + 1, np.array([lead]))
        return inputs[:, 0], self.seen.values[targets]
