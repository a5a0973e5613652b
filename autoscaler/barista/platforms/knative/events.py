"""Events: what happened to a service, told where ``kubectl describe`` shows it, once for each change."""

import logging
import uuid
from datetime import UTC, datetime

from barista.platforms.knative.client import EVENTS, SERVICES, ApiServer, Refused
from barista.platforms.knative.state import ServiceState
from barista.ports.platform import PlatformUnavailable
from barista.values.service import ServiceId

REPORTER = "knative-barista.dev/controller"
LONGEST = 1000
GLAD = ("GivenBack",)
"""Reasons that nobody needs to be warned of."""

log = logging.getLogger(__name__)


class Events:
    """Tells events about services. One that cannot be told is logged, and hinders nothing."""

    def __init__(self, server: ApiServer, instance: str) -> None:
        self._server, self._instance = server, instance
        self._told: dict[tuple[ServiceId, str], str] = {}

    def tell(self, service: ServiceState, reason: str, text: str, topic: str = "") -> None:
        """Tell of `reason`, in words `text`, unless the same was told last.

        With a `topic`, it is told once for each reason, whatever the words, until that is over.
        """
        key, news = (service.id, topic or reason), reason if topic else text
        if self._told.get(key) == news:
            return
        self._told[key] = news
        log.info("%s: %s: %s", service.id, reason, text)
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {"name": f"{service.name}.{uuid.uuid4().hex[:16]}", "namespace": service.namespace},
            "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "action": "Scaling",
            "reason": reason,
            "note": text[:LONGEST],
            "type": "Normal" if reason in GLAD else "Warning",
            "regarding": {
                "apiVersion": SERVICES.api_version,
                "kind": "Service",
                "namespace": service.namespace,
                "name": service.name,
                "uid": service.uid,
            },
        }
        try:
            self._server.create(EVENTS.path(service.namespace), event)
        except (PlatformUnavailable, Refused) as error:
            log.warning("event not told: %s", error)

    def over(self, service: ServiceId, topic: str) -> None:
        """What was told of `topic` is over: when it comes back, it is told again."""
        self._told.pop((service, topic), None)
