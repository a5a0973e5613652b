"""Insight: what the API shows of a controller on a cluster, read from what its turns leave in memory."""

import time
from typing import Any

from barista.cli.cluster_control import ClusterControl
from barista.cli.compose import rules_for
from barista.cli.journal import Journal
from barista.control.cycle import Pass
from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.platforms.knative.platform import KnativePlatform
from barista.settings import Settings
from barista.values.situation import Situation

SILENT_S = 120.0
"""A controller whose last turn began so long ago hangs."""


class ControllerInsight:
    """Insight into `control`, acting on `platform`, through its `journal`."""

    def __init__(
        self, control: ClusterControl, platform: KnativePlatform, journal: Journal, settings: Settings
    ) -> None:
        self._control, self._platform, self._journal = control, platform, journal
        self._settings = settings
        self.registry = journal.registry

    def unwell(self) -> str:
        """Why the controller should be started again; empty while its turns go on."""
        silent_s = time.monotonic() - self._control.turned_at_s
        return f"the last turn began {silent_s:.0f} s ago" if silent_s > SILENT_S else ""

    def unready(self) -> str:
        """Why it could not act now; empty when it could."""
        return self._control.blindness

    def services(self) -> list[dict[str, Any]]:
        """The services that asked for Barista, and what becomes of them."""
        roster = self._control.roster
        if roster is None:
            return []
        scaled = [
            {
                "service": service.id,
                "state": "paused" if service.id in roster.paused else "scaled",
                "authority": service.authority,
                "slo": str(service.slo),
                "model": service.model,
                "flavors": service.flavors,
                "minReplicas": service.min_replicas,
                "maxReplicas": service.max_replicas,
                "forecaster": service.forecaster.name,
                "priority": service.priority,
                "applied": applied.text if (applied := self._platform.outcomes.get(service.id)) else None,
            }
            for service in roster.watched.services
        ]
        refused = [
            {"service": service, "state": "refused", "reason": reason}
            for service, reason in sorted(roster.refused.items())
        ]
        return scaled + refused

    def latest(self) -> Pass | None:
        """The latest cycle."""
        return self._journal.latest

    def rules_for(self, situation: Situation | None) -> Rules:
        """The rules of the latest cycle; for a `situation` given, those that its services call for."""
        if situation is None:
            if self._control.rules is None:
                raise RuntimeError("no cycle yet")
            return self._control.rules
        profiles = {view.service.id: view.profiles for view in situation.services}
        watched = Watched(situation.catalogue, [view.service for view in situation.services], profiles)
        roster = self._control.roster
        return rules_for(self._settings if roster is None else roster.settings, watched)
