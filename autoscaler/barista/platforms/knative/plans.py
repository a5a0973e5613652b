"""ScalingPlans written: made where a service has none, and their status patched in parts."""

from collections.abc import Mapping
from typing import Any

from barista.platforms.knative.client import PLANS, SERVICES, ApiServer, Refused
from barista.platforms.knative.schema import API_VERSION
from barista.platforms.knative.state import ServiceState
from barista.platforms.knative.watching import Reflector

EXISTS, MISSING = 409, 404


class PlanWriter:
    """Writes the status of ScalingPlans; a plan goes with its service, which owns it."""

    def __init__(self, server: ApiServer, plans: Reflector) -> None:
        self._server, self._plans = server, plans

    def write(self, service: ServiceState, status: Mapping[str, Any]) -> None:
        """Merge `status` into that of the plan of `service`. Raises PlatformUnavailable, or Refused."""
        path = PLANS.path(service.namespace, service.name, "status")
        try:
            written = self._server.patch(path, {"status": status})
        except Refused as error:
            if error.status != MISSING:
                raise
            self._make(service)
            written = self._server.patch(path, {"status": status})
        self._plans.take_in(written)

    def _make(self, service: ServiceState) -> None:
        owner = {
            "apiVersion": SERVICES.api_version,
            "kind": "Service",
            "name": service.name,
            "uid": service.uid,
        }
        metadata = {"name": service.name, "namespace": service.namespace, "ownerReferences": [owner]}
        body = {"apiVersion": API_VERSION, "kind": "ScalingPlan", "metadata": metadata, "spec": {}}
        try:
            self._server.create(PLANS.path(service.namespace), body)
        except Refused as error:
            if error.status != EXISTS:
                raise
