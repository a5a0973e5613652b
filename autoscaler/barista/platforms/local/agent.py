"""The agent: keeps the replicas of this machine as they were last decided.

What it is told are counts by flavor, a state rather than orders. It compares them with what is there,
again and again, so a crashed replica is replaced and a surplus one goes when its lease is over. It is part
of the supervisor: the replicas live on when the controller dies.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from barista.platforms.local.fleet import Fleet, Trouble
from barista.platforms.local.moves import Moves, moves
from barista.platforms.local.service import Target
from barista.platforms.local.usage import ServiceUsage
from barista.values.decision import Applied
from barista.values.flavor import Catalogue
from barista.values.replica import Counts, Phase, Replica, count_by_flavor
from barista.values.service import Authority, ServiceId

LOOK_EVERY_S = 0.25
WAIT_POLL_S = 0.05
GIVE_UP_AFTER = 3
LONGEST_BACKOFF_S = 30.0


class NotReady(Exception):
    """The replicas to begin with do not come up; the message says what went wrong last."""


class Agent:
    """Holds `fleet` at the target of each service: `initial`, until `apply` sets another."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, initial: Mapping[ServiceId, Counts]) -> None:
        self._fleet = fleet
        self._catalogue = catalogue
        self._targets = dict(initial)

    def state(self) -> dict[ServiceId, tuple[Replica, ...]]:
        """Replicas by service."""
        return {service: self._fleet.replicas(service) for service in self._targets}

    def usage(self) -> Mapping[ServiceId, ServiceUsage]:
        """What was used up to now, by service."""
        return self._fleet.usage()

    def apply(self, targets: Iterable[Target]) -> tuple[Applied, ...]:
        """Set the targets and begin to carry them out; one under `advise` writes nothing."""
        return tuple(self._apply(target) for target in targets)

    def begin(self) -> None:
        """Order the initial replicas."""
        for service, counts in self._targets.items():
            for flavor in Counter(counts).elements():
                self._fleet.order(service, flavor, initial=True)

    async def run(self) -> None:
        """Keep every service at its target, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for service in self._targets:
                self._pursue(service)

    async def settled(self, within_s: float) -> None:
        """Wait until all replicas wanted serve and the router knows them. NotReady when they do not."""
        deadline = time.monotonic() + within_s
        while not all(self._is_settled(service) for service in self._targets):
            for service in self._targets:
                trouble = self._fleet.trouble(service)
                if trouble.count >= GIVE_UP_AFTER:
                    raise NotReady(f"service {service}: {trouble.count} starts failed: {trouble.text}")
                if time.monotonic() > deadline:
                    raise NotReady(f"service {service}: not ready within {within_s:g} s: {trouble.text}")
            await asyncio.sleep(WAIT_POLL_S)

    def _apply(self, target: Target) -> Applied:
        if target.authority is Authority.ADVISE:
            return Applied(target.service, ok=True, text="advise: nothing was changed")
        wrong = self._wrong(target)
        if wrong:
            return Applied(target.service, ok=False, text=wrong)
        self._targets[target.service] = target.final
        return Applied(target.service, ok=True, text=str(self._pursue(target.service)))

    def _wrong(self, target: Target) -> str:
        if target.service not in self._targets:
            return f"service {target.service}: not run here; known: {', '.join(sorted(self._targets))}"
        for flavor, count in target.final.items():
            if flavor not in self._catalogue.flavors:
                known = ", ".join(sorted(self._catalogue.flavors))
                return f"service {target.service}: flavor {flavor!r}: no such flavor; known: {known}"
            if count < 0:
                return f"service {target.service}: {count} replicas of {flavor}: must not be negative"
        return ""

    def _pursue(self, service: ServiceId) -> Moves:
        needed = moves(self._fleet.replicas(service), self._targets[service], self._catalogue, time.time())
        for replica, flavor in needed.resize:
            self._fleet.resize(replica, flavor)
        for replica in needed.stop:
            self._fleet.dismiss(replica)
        if not _backs_off(self._fleet.trouble(service), time.monotonic()):
            for flavor in needed.start:
                self._fleet.order(service, flavor)
        return needed

    def _is_settled(self, service: ServiceId) -> bool:
        ready = [r for r in self._fleet.replicas(service) if r.phase is Phase.READY]
        wanted = {flavor: count for flavor, count in self._targets[service].items() if count}
        return count_by_flavor(ready) == wanted and self._fleet.routing.routed >= {r.id for r in ready}


def _backs_off(trouble: Trouble, now_s: float) -> bool:
    """Whether the next start has to wait: not after one fault, then 1 s, 2 s, 4 s … up to the longest."""
    if trouble.count < 2:
        return False
    return now_s < trouble.at_s + min(LONGEST_BACKOFF_S, 2.0 ** (trouble.count - 2))
