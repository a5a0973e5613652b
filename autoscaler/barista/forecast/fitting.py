"""A fit under way: ordered from the learner, then proved where forecasts are made.

The proof is a first forecast from the new state. By then the worker there has imported what it needs, which
may take longer than a forecast may. After a restart a stored state that catches up takes the place of a fit.
"""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from uuid import uuid4

import numpy as np

from barista.forecast import tasks
from barista.forecast.tasks import Answer, Question
from barista.ports.forecaster import ForecastContext
from barista.values.series import Demand
from barista.values.service import PluginChoice, ServiceId

QUEUE_PATIENCE = 10
"""Time limits of a fit after which one that was never seen running is given up."""


class FitFailed(Exception):
    """What came of a fit cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted state: what made it, its bytes, and the end of the demand that these have seen.

    `origin` is its name, which stays as it is moved on; `held_s` is the end of what the state that a worker
    holds has seen (None: no worker is known to hold it).
    """

    choice: PluginChoice
    state: bytes
    end_s: float
    origin: str
    held_s: float | None = None

    def moved_on(self, seen_s: float, state: bytes | None) -> "Fitted":
        """Once a worker holds it with demand until `seen_s` in it; `state` is that packed, if it is known."""
        if state is None:
            return replace(self, held_s=seen_s)
        return replace(self, held_s=seen_s, state=state, end_s=seen_s)


@dataclass(slots=True)
class Fit:
    """The fit of one service, on `demand`; `catches_up`: a stored state catches up with it instead.

    What is under way was ordered at `ordered_s`, and first seen running at `started_s` (waiting in a queue
    is no fault for long; some executors never say what runs). `origin` will name the state.
    """

    service: ServiceId
    choice: PluginChoice
    demand: Demand
    state: "Future[bytes]"
    ordered_s: float
    catches_up: bool = False
    proof: "Future[list[Answer]] | None" = None
    started_s: float | None = None
    origin: str = field(default_factory=lambda: uuid4().hex)

    @property
    def under_way(self) -> "Future[bytes] | Future[list[Answer]]":
        """What is waited for."""
        return self.proof or self.state

    def move_on(
        self, make: tasks.Make, context: ForecastContext, lane: Executor, now_s: float, limit_s: float
    ) -> Fitted | None:
        """The fitted state once it is proved in `lane`; None while that takes. Raises what went wrong."""
        if self.proof is None and self.state.done():
            nothing = Demand(self.demand.end_s, self.demand.step_s, np.empty(0))
            question = Question(self.service, self.origin, self.choice, self.state.result(), nothing)
            self.proof = lane.submit(tasks.answer, make, context, [question])
            self.ordered_s, self.started_s = now_s, None
        if self.proof is not None and self.proof.done():
            (answer,) = self.proof.result()
            if answer.forecast is None:
                raise FitFailed(answer.fault)
            end_s = self.demand.end_s
            return Fitted(self.choice, self.state.result(), end_s, self.origin, held_s=end_s)
        if self.started_s is None and self.under_way.running():
            self.started_s = now_s
        elif self.started_s is not None and now_s - self.started_s > limit_s:
            self.under_way.cancel()
            raise TimeoutError(f"took over {limit_s:g} s")
        elif now_s - self.ordered_s > QUEUE_PATIENCE * limit_s:
            self.under_way.cancel()
            raise TimeoutError(f"no answer {QUEUE_PATIENCE * limit_s:g} s after it was ordered")
        return None
