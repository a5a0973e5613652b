"""The controller on a cluster: each turn it looks who is there, decides, acts, and says so.

Services come and go while it runs, and the configuration may change: the stages are put together anew
when what they are made from has changed (the configuration, the planning grid), while memory stays. A
controller that does not lead watches all the same, and so can begin at once; its memory begins
empty, so that it lowers nothing before it has seen for itself.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from barista.cli.adapters import Adapters
from barista.cli.compose import assemble, rules_for
from barista.cli.journal import Journal
from barista.cli.reloading import ConfigurationFile
from barista.cli.roster import Roster, make_roster
from barista.cli.telling import Teller
from barista.control.controller import Controller
from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.forecast.quality import Watch
from barista.plan.pose import Horizon
from barista.platforms.knative.platform import KnativePlatform
from barista.platforms.knative.snapshot import Snapshot
from barista.ports.platform import PlatformUnavailable
from barista.settings import Settings
from barista.values.decision import Memory
from barista.values.service import Authority, ServiceId

IDLE_S = 1.0
"""Between looks of a controller that does not lead."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the controller works with: `adapters` makes the rest for a configuration."""

    configuration: ConfigurationFile
    look: Callable[[], Snapshot]
    leads: Callable[[], bool]
    platform: KnativePlatform
    adapters: Callable[[Settings], Adapters]
    journal: Journal
    teller: Teller
    quality: Watch


class ClusterControl:
    """Runs what is due, turn by turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._controller: Controller | None = None
        self._made_from: tuple[Settings, Horizon] | None = None
        self.roster: Roster | None = None
        self.rules: Rules | None = None
        self.turned_at_s = time.monotonic()
        """When the last turn began, on the monotonic clock."""
        self.blindness = "no turn yet"
        """Why the cluster was not seen in the last turn; empty when it was."""

    def turn(self, now_s: float) -> float:
        """Do what is due at `now_s`; the time at which to be called again."""
        parts, self.turned_at_s = self._parts, time.monotonic()
        if parts.configuration.follow():
            log.info("configuration: %s", parts.configuration.fault or "changed")
        snapshot = self._seen()
        if snapshot is not None:
            self._call_the_roll(snapshot)
        leads = parts.leads()
        parts.journal.leads.set(leads)
        if not leads or self.roster is None:
            self._controller = None
            return now_s + IDLE_S
        # With no snapshot too: what cannot be seen is held, and that must be remembered.
        due_s = self._ready(self.roster).tick(now_s)
        # Meanwhile another controller may lead: a tick takes long when the cluster does not answer.
        if snapshot is not None and parts.leads():
            self._give_back(snapshot, self.roster)
            parts.teller.of_configuration(snapshot, parts.configuration.fault)
            parts.teller.of_refused(self.roster, snapshot, now_s)
            parts.teller.of_cycle(parts.journal.latest, parts.platform.outcomes, self.roster, snapshot)
        return due_s

    def _seen(self) -> Snapshot | None:
        try:
            snapshot, self.blindness = self._parts.look(), ""
        except PlatformUnavailable as error:
            self.blindness = f"cluster not seen: {error}"
            log.warning("%s", self.blindness)
            return None
        return snapshot

    def _call_the_roll(self, snapshot: Snapshot) -> None:
        parts = self._parts
        roster = self.roster = make_roster(parts.configuration.settings, snapshot)
        parts.platform.watch_over(roster.watched.services, roster.watched.catalogue, roster.paused)
        counts = {
            "scaled": len(roster.watched.services) - len(roster.paused),
            "paused": len(roster.paused),
            "refused": len(roster.refused),
        }
        for state, count in counts.items():
            parts.journal.services.labels(state).set(count)

    def _ready(self, roster: Roster) -> Controller:
        """The controller, put together anew where what it is made from has changed."""
        settings, rules = roster.settings, rules_for(roster.settings, roster.watched)
        if self._controller is None or self._made_from != (settings, rules.horizon):
            memory = Memory() if self._controller is None else self._controller.memory
            self._controller = assemble(
                settings,
                rules,
                lambda: self._watched(roster),
                self._parts.adapters(settings),
                self._parts.journal,
                calendar=settings.calendar(),
                watch=self._parts.quality,
            )
            self._controller.memory = memory
            self._made_from, self.rules = (settings, rules.horizon), rules
        return self._controller

    def _watched(self, otherwise: Roster) -> Watched:
        return (self.roster or otherwise).watched

    def _give_back(self, snapshot: Snapshot, roster: Roster) -> None:
        """What was written to services that opted out, or are only advised now, becomes theirs again."""
        advised = {s.id for s in roster.watched.services if s.authority is Authority.ADVISE} - roster.paused

        def is_over(service: ServiceId) -> bool:
            return service in advised or not snapshot.asked(service)

        try:
            outcomes = self._parts.platform.give_back(is_over)
        except PlatformUnavailable as error:
            log.warning("nothing can be given back now: %s", error)
            return
        for applied in outcomes:
            if not applied.ok:
                self._parts.journal.not_applied(applied)
