"""Telling: what became of each service, into its ScalingPlan and Events, where it has changed."""

import logging
from collections.abc import Mapping
from typing import Any

from barista.cli.roster import Roster
from barista.control.cycle import Pass
from barista.platforms.knative.client import Refused
from barista.platforms.knative.conditions import ConditionType, Truth
from barista.platforms.knative.events import Events
from barista.platforms.knative.plans import PlanWriter
from barista.platforms.knative.snapshot import Snapshot
from barista.platforms.knative.state import ServiceState
from barista.platforms.knative.status import Seen, aspects, refused, told
from barista.ports.platform import PlatformUnavailable
from barista.values.decision import Applied
from barista.values.service import ServiceId

MEANT = ("Advising", "Paused")
"""Reasons for which nothing is applied, as somebody asked for."""

log = logging.getLogger(__name__)


class Teller:
    """Tells of cycles by `plans` and `events`; of each cycle once."""

    def __init__(self, plans: PlanWriter, events: Events) -> None:
        self._plans, self._events = plans, events
        self._told: Pass | None = None

    def of_refused(self, roster: Roster, snapshot: Snapshot, now_s: float) -> None:
        """Tell the services whose settings cannot be followed."""
        for service, text in roster.refused.items():
            state = snapshot.services.get(service)
            if state is not None:
                self._events.tell(state, "InvalidSettings", text)
                self._write(state, refused(text, now_s, snapshot.plans.get(service)))

    def of_configuration(self, snapshot: Snapshot, fault: str) -> None:
        """Tell all services that a change of the configuration is not in force; with no fault, nothing."""
        for state in snapshot.opted_in():
            if fault:
                self._events.tell(state, "ConfigurationRefused", fault)
            else:
                self._events.over(state.id, "ConfigurationRefused")

    def of_cycle(
        self,
        done: Pass | None,
        applied: Mapping[ServiceId, Applied],
        roster: Roster,
        snapshot: Snapshot,
    ) -> None:
        """Tell each service what the cycle `done` made of it, and whether that was `applied`."""
        if done is None or done is self._told:
            return
        self._told = done
        services = roster.services()
        demands = {view.service.id: view.observation.demand_rps for view in done.situation.services}
        for decision in done.outcome.decisions:
            service, state = services.get(decision.service), snapshot.services.get(decision.service)
            if service is None or state is None:
                continue
            seen = Seen(
                decision=decision,
                demand=demands[service.id],
                forecast=done.forecasts.get(service.id),
                level=service.highest_level,
                plan=done.plan,
                applied=applied.get(service.id),
                chosen_forecaster=service.forecaster.name,
                paused=service.id in roster.paused,
            )
            self._write(state, told(seen, snapshot.plans.get(service.id)))
            self._announce(state, seen)

    def _announce(self, state: ServiceState, seen: Seen) -> None:
        for aspect in aspects(seen):
            if aspect.type is ConditionType.READY:
                continue  # it says again what another one says
            if aspect.status is Truth.FALSE and aspect.reason not in MEANT:
                self._events.tell(state, aspect.reason, aspect.message, topic=aspect.type)
            else:
                self._events.over(state.id, aspect.type)

    def _write(self, state: ServiceState, status: Mapping[str, Any] | None) -> None:
        if status is None:
            return
        try:
            self._plans.write(state, status)
        except (PlatformUnavailable, Refused) as error:
            log.warning("%s: status not written: %s", state.id, error)
