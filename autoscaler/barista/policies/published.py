"""The rules of the Barista paper (2019, arXiv 1904.01576), as a rival to what they have become here.

They look ahead by the set-up time: a point forecast of what comes until then says how many requests have to
be served, the heuristic of capacity how many fit into one SLO window of a replica. Nothing is bought for what
is uncertain, nothing corrects what was foreseen wrongly before the next look, and the count is what it is.
"""

import math
from collections.abc import Callable, Mapping

from barista.capacity.published import PublishedCapacity
from barista.policies.flavor import one_flavor
from barista.policies.options import PublishedOptions
from barista.policies.policy import held, outcome, wanted
from barista.values.decision import Decision, Memory, Outcome, Reason
from barista.values.forecast import Forecast
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

NAME = "published"
FORECASTER = "compensated"
"""Theirs: a trend refitted on a rolling window, with a compensator of its errors."""


class Published:
    """Gives each service ⌈forecast ÷ served⌉ replicas of the flavor that serves a request at least cost.

    `foresee` tells what is foreseen of the services; a look comes every `cycle_s` seconds.
    """

    name = NAME
    tick_s: float | None = None

    def __init__(
        self,
        options: PublishedOptions,
        foresee: Callable[[Situation], Mapping[ServiceId, Forecast]],
        cycle_s: float,
    ) -> None:
        self._options, self._foresee, self._cycle_s = options, foresee, cycle_s
        self._capacity = PublishedCapacity()

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """What the rules say for every service."""
        forecasts = self._foresee(situation)
        decisions = (
            self._decide(view, forecasts.get(view.service.id), situation) for view in situation.services
        )
        return outcome(tuple(decisions), memory)

    def _decide(self, view: ServiceView, forecast: Forecast | None, situation: Situation) -> Decision:
        service = view.service
        if view.replicas is None or forecast is None:
            return held(view, NAME, "there is no forecast, or nothing to change from", situation)
        flavor = self._options.flavor or one_flavor(view, situation.catalogue, self._capacity)
        profile = view.profiles.get(flavor)
        served_rps = self._capacity.rps(profile, service.slo, view.dispatch, 1) if profile else 0.0
        if profile is None or served_rps <= 0:
            return held(view, NAME, f"{flavor} serves no request within the objective", situation)
        until_s = situation.at_s + profile.planned_setup_s + self._cycle_s
        expected_rps = self._options.factor * most_expected(forecast, situation.at_s, until_s)
        raw = math.ceil(round(expected_rps / served_rps, 9))
        least = max(1, service.min_replicas)
        count = min(max(raw, least), service.max_replicas)
        reasons = [Reason(NAME, f"{expected_rps:.3g} requests/s expected, {served_rps:.3g} a replica")]
        if count != raw:
            reasons.append(Reason("service bounds", f"{least} to {service.max_replicas}", binds=True))
        return wanted(view, {flavor: raw} if raw else {}, {flavor: count}, tuple(reasons), situation)


def most_expected(forecast: Forecast, start_s: float, end_s: float) -> float:
    """The largest mean (requests/s) of the steps that ``[start_s, end_s)`` touches."""
    first = math.floor((start_s - forecast.origin_s) / forecast.step_s + 1e-6)
    end = math.ceil((end_s - forecast.origin_s) / forecast.step_s - 1e-6)
    first = min(max(first, 0), forecast.steps - 1)
    return max(forecast.mean[first : max(end, first + 1)])
