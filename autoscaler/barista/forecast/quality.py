"""Quality: how good the forecasts that were said turn out to be, service by service, as outcomes come.

Every forecast is kept until what it spoke of was seen, at two leads: the next step, and the step in which a
replica that is ordered now would serve. What was said to a service is judged whoever said it, and so is each
member of its forecaster. Scores are means over the latest outcomes, so they follow a change within days.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import ServiceId

TOLD = "told"
"""The name under which what a service was told is judged, whoever made it."""
NEXT, SETUP = "next", "setup"
RECENT_OUTCOMES = 500
"""Outcomes that scores are means over, the latest weighing most; fewer at first."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over `outcomes`, per level of `levels`: pinball loss (requests/s) and the share of outcomes at or
    below the quantile; `bias_rps` is how far above the outcome the mean was.
    """

    levels: tuple[float, ...]
    outcomes: int
    pinball_rps: tuple[float, ...]
    coverage: tuple[float, ...]
    bias_rps: float

    @staticmethod
    def none(levels: tuple[float, ...]) -> "Scores":
        """Nothing judged yet."""
        zeros = (0.0,) * len(levels)
        return Scores(levels, 0, zeros, zeros, 0.0)

    def after(self, outcome: float, mean: float, quantiles: tuple[float, ...]) -> "Scores":
        """With one more `outcome`, of which `mean` and `quantiles` had been said."""
        count = self.outcomes + 1
        share = 1 / min(count, RECENT_OUTCOMES)

        def towards(old: float, new: float) -> float:
            return old + share * (new - old)

        losses = (
            max(level * (outcome - q), (level - 1) * (outcome - q))
            for level, q in zip(self.levels, quantiles, strict=True)
        )
        return Scores(
            self.levels,
            count,
            tuple(map(towards, self.pinball_rps, losses)),
            tuple(map(towards, self.coverage, (float(outcome <= q) for q in quantiles))),
            towards(self.bias_rps, mean - outcome),
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of the step that starts at `start_s`."""

    start_s: float
    mean: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One forecaster at one lead (steps of `step_s`): its scores, and what waits for outcomes, in order."""

    lead: int
    step_s: float
    scores: Scores
    waiting: tuple[_Said, ...] = ()

    def goes_on(self, lead: int, forecast: Forecast) -> bool:
        """Whether `forecast` is judged by the same measure at `lead`."""
        return (self.lead, self.step_s, self.scores.levels) == (lead, forecast.step_s, forecast.levels)

    def said(self, forecast: Forecast) -> "Judged":
        """With what `forecast` says at the lead; the first one to speak of a step counts."""
        k = self.lead - 1
        start_s = forecast.origin_s + k * forecast.step_s
        if self.waiting and start_s < self.waiting[-1].start_s + 0.5 * forecast.step_s:
            return self
        said = _Said(start_s, forecast.mean[k], tuple(row[k] for row in forecast.quantiles))
        return replace(self, waiting=(*self.waiting, said))

    def seen(self, demand: Demand) -> "Judged":
        """With the outcomes that `demand` brings. What was said of a step that nobody saw is dropped."""
        over = [said for said in self.waiting if said.start_s < demand.end_s - 0.5 * demand.step_s]
        scores = self.scores
        for said in over:
            at = round((said.start_s - demand.start_s) / demand.step_s)
            outcome = float(demand.values[at]) if at >= 0 else np.nan
            if np.isfinite(outcome):
                scores = scores.after(outcome, said.mean, said.quantiles)
        return replace(self, scores=scores, waiting=self.waiting[len(over) :])


@dataclass(frozen=True, slots=True)
class Quality:
    """The scores of one forecaster of `service` at one lead (`NEXT` or `SETUP`), as they are shown."""

    service: ServiceId
    forecaster: str
    lead: str
    lead_s: float
    scores: Scores


@dataclass(slots=True)
class Watch:
    """Judges what services are told. Demand and forecasts of a service lie on one grid."""

    _judged: dict[ServiceId, dict[str, dict[str, Judged]]] = field(default_factory=dict)

    def seen(self, service: ServiceId, demand: Demand) -> None:
        """Judge what was said of the steps of `demand`."""
        for by_lead in self._judged.get(service, {}).values():
            for lead, judged in by_lead.items():
                by_lead[lead] = judged.seen(demand)

    def said(
        self, service: ServiceId, told: Forecast, members: Mapping[str, Forecast], setup_steps: int
    ) -> None:
        """Note what `service` was `told`, and what the `members` of its forecaster say.

        A replica ordered now serves in the step that lies `setup_steps` ahead, 1 being the next.
        """
        of_service = self._judged.setdefault(service, {})
        for name, forecast in {**members, TOLD: told}.items():
            by_lead = of_service.setdefault(name, {})
            for lead, steps in ((NEXT, 1), (SETUP, min(setup_steps, forecast.steps))):
                judged = by_lead.get(lead)
                if judged is None or not judged.goes_on(steps, forecast):
                    judged = Judged(steps, forecast.step_s, Scores.none(forecast.levels))
                by_lead[lead] = judged.said(forecast)

    def keep(self, services: Collection[ServiceId]) -> None:
        """Drop what is known of all others."""
        for gone in self._judged.keys() - services:
            del self._judged[gone]

    def qualities(self) -> tuple[Quality, ...]:
        """What was found, of all that was judged at least once."""
        # Copies: whoever shows it may do so while the next cycle runs.
        return tuple(
            Quality(service, name, lead, judged.lead * judged.step_s, judged.scores)
            for service, of_service in tuple(self._judged.items())
            for name, by_lead in tuple(of_service.items())
            for lead, judged in tuple(by_lead.items())
            if judged.scores.outcomes
        )
