"""Leader election by a Lease: of several controllers one acts, and the others are ready to.

A leader that cannot renew stops acting before the Lease runs out for the others. Time is measured by each
process alone, from when it saw the Lease change, so that clocks that differ or jump do no harm. A
leader that ends gives the Lease up, and the next one begins at once.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from barista.platforms.knative.client import LEASES, ApiServer, Refused
from barista.ports.platform import PlatformUnavailable

LEASE_S = 15.0
"""How long a Lease lasts after its holder was last heard of."""
ACT_SHARE = 2 / 3
"""For how much of a Lease a leader acts after its last renewal."""
RENEW_SHARE = 2 / 15
"""After how much of a Lease it is renewed."""
MISSING = 404

log = logging.getLogger(__name__)


class Leader:
    """One candidate, `identity`, for the Lease `name` in `namespace`, which lasts `lease_s`."""

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        name: str,
        identity: str,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server, self._identity, self._clock = server, identity, clock
        self._all, self._path = LEASES.path(namespace), LEASES.path(namespace, name)
        self._name, self._lease_s = name, lease_s
        self._until_s = float("-inf")
        self._seen: tuple[Any, ...] | None = None
        self._seen_at_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader election", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether this process may act now."""
        return self._clock() < self._until_s

    @property
    def _act_s(self) -> float:
        return ACT_SHARE * self._lease_s

    def start(self) -> None:
        """Stand for election from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stand no longer; a Lease that is held is given up, as far as the API server can be reached."""
        self._stop.set()
        self._thread.join(timeout=self._act_s)
        if self.leads:
            self._until_s = float("-inf")
            try:
                lease = self._server.get(self._path)
                if lease["spec"].get("holderIdentity") == self._identity:
                    self._server.replace(
                        self._path, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}}
                    )
            except (PlatformUnavailable, Refused) as error:
                log.warning("lease not given up: %s", error)

    def attempt(self) -> None:
        """Renew the Lease, or take it where nobody holds it. Raises PlatformUnavailable, or Refused."""
        begun_s = self._clock()
        try:
            lease = self._server.get(self._path)
        except Refused as error:
            if error.status != MISSING:
                raise
            metadata = {"name": self._name}
            self._server.create(self._all, {"metadata": metadata, "spec": self._spec({})})
            self._until_s = begun_s + self._act_s
            return
        spec = lease.get("spec") or {}
        if self._is_held_by_another(spec, begun_s):
            self._until_s = float("-inf")
            return
        # Where two try at once, the version in the object lets only one through.
        self._server.replace(self._path, {**lease, "spec": self._spec(spec)})
        self._until_s = begun_s + self._act_s

    def _run(self) -> None:
        while not self._stop.is_set():
            led = self.leads
            try:
                self.attempt()
            except (PlatformUnavailable, Refused) as error:
                log.info("lease not renewed: %s", error)
            if self.leads != led:
                log.info("%s %s", self._identity, "leads" if self.leads else "does not lead any more")
            self._stop.wait(RENEW_SHARE * self._lease_s)

    def _is_held_by_another(self, spec: dict[str, Any], now_s: float) -> bool:
        holder = spec.get("holderIdentity")
        seen = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at_s = seen, now_s
        if not holder or holder == self._identity:
            return False
        return now_s - self._seen_at_s < float(spec.get("leaseDurationSeconds") or self._lease_s)

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        mine = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._lease_s),
            "acquireTime": before.get("acquireTime", now) if mine else now,
            "renewTime": now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (not mine),
        }
