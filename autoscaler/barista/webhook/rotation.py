"""Certificates kept: in a Secret that all replicas share, and known to the API server.

Whoever finds something due makes it anew and stores it; the resource version decides between two
replicas that do so at once, and the loser takes what the winner made. The bundle of authorities is written
into the webhook configurations, where the API server looks for whom to trust.
"""

import logging
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from barista.platforms.knative.client import STRATEGIC_MERGE_PATCH, ApiServer, Kind, Refused
from barista.ports.platform import PlatformUnavailable
from barista.webhook.certificates import BUNDLE, Certificates, renewed

SECRETS = Kind("v1", "secrets")
CONFIGURATIONS = (
    Kind("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations"),
    Kind("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"),
)
CONFLICT = 409
LOOK_S = 60.0
RETRY_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where certificates are kept and announced, and the names under which the webhook is reached."""

    namespace: str
    secret: str
    configuration: str
    hosts: tuple[str, ...]


class Keeper:
    """Keeps the certificates of `place` good and hands each new one to `install`."""

    def __init__(self, server: ApiServer, place: Place, install: Callable[[Certificates], None]) -> None:
        self._server, self._place, self._install = server, place, install
        self._installed: Certificates | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificates", daemon=True)

    def start(self) -> None:
        """Begin to look after them."""
        self._thread.start()

    def stop(self) -> None:
        """End; does not wait for it."""
        self._stop.set()

    def look(self, now: datetime) -> None:
        """Renew what is due at `now`, install what is new, announce the authorities.

        Refused, or PlatformUnavailable when the API server gives no answer.
        """
        held = self._shared(now)
        if held != self._installed:
            self._install(held)
            self._installed = held
        self._announce(held)

    def _shared(self, now: datetime) -> Certificates:
        path = SECRETS.path(self._place.namespace, self._place.secret)
        secret = self._server.get(path)
        held = Certificates.read(secret.get("data") or {})
        wanted = renewed(held, self._place.hosts, now)
        if wanted == held:
            return wanted
        try:
            self._server.replace(path, {**secret, "data": wanted.data()})
        except Refused as error:
            if error.status != CONFLICT:
                raise
            return self._shared(now)
        log.info("certificates made for %s", ", ".join(self._place.hosts))
        return wanted

    def _announce(self, held: Certificates) -> None:
        bundle = held.data()[BUNDLE]
        for kind in CONFIGURATIONS:
            path = kind.path(name=self._place.configuration)
            hooks: Sequence[dict[str, dict[str, str]]] = self._server.get(path).get("webhooks") or ()
            stale = [hook["name"] for hook in hooks if hook["clientConfig"].get("caBundle") != bundle]
            if stale:
                patch = [{"name": name, "clientConfig": {"caBundle": bundle}} for name in stale]
                self._server.patch(path, {"webhooks": patch}, STRATEGIC_MERGE_PATCH)

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            try:
                self.look(datetime.now(UTC))
                pause_s = LOOK_S
            except (PlatformUnavailable, Refused) as error:
                log.warning("certificates not looked after: %s", error)
                pause_s = RETRY_S if self._installed is None else LOOK_S


class Served:
    """The TLS context of the server; a certificate put into it serves from the next handshake on."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.ready = threading.Event()

    def install(self, certificates: Certificates) -> None:
        """Serve with `certificates` from now on."""
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder, "chain.pem")
            chain.touch(mode=0o600)
            chain.write_bytes(certificates.key + certificates.cert)
            self.context.load_cert_chain(chain)
        self.ready.set()
