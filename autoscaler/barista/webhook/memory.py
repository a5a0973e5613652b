"""What the webhook knows: a copy of plans, flavors and opted-in services, kept by watches.

Questions are answered from it, never by asking the API server: that would make each pod wait for it.
When the API server is away the copy still answers; what is not in it is unknown, and then nothing is
changed or refused.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from barista.platforms.knative.admission import Orders, orders_for
from barista.platforms.knative.annotations import Known, opted_in
from barista.platforms.knative.client import FLAVORS, PLANS, SERVICES, ApiServer, Object
from barista.platforms.knative.resources import FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.platforms.knative.schema import ResourceError
from barista.platforms.knative.watching import Reflector
from barista.ports.platform import PlatformUnavailable
from barista.values.flavor import Flavor
from barista.values.service import ServiceId


class Configured(Protocol):
    """What the operator's configuration names."""

    def flavors(self) -> Mapping[str, Flavor]:
        """The flavors that it holds, by name."""
        ...

    def forecasters(self) -> frozenset[str]:
        """The forecasters that may be chosen."""
        ...

    def planners(self) -> frozenset[str]:
        """The planners that may be chosen."""
        ...


class Memory:
    """The copies of plans, flavors and services, and the names in the configuration."""

    def __init__(self, server: ApiServer, configured: Configured) -> None:
        self._configured = configured
        self._plans, self._flavors, self._services = (
            Reflector(server, kind) for kind in (PLANS, FLAVORS, SERVICES)
        )

    def start(self) -> None:
        """Begin to watch."""
        for reflector in self._all():
            reflector.start()

    def stop(self) -> None:
        """End the watches."""
        for reflector in self._all():
            reflector.stop()

    def missing(self) -> tuple[str, ...]:
        """The kinds of which there is no copy yet."""
        return tuple(r.kind.plural for r in self._all() if r.age_s() is None)

    def orders(self, service: ServiceId) -> Orders | None:
        """What stands for `service`; None when it did not opt in or nothing is known of it."""
        plan, obj = _find(self._plans, service), _find(self._services, service)
        if plan is None or obj is None:
            return None
        annotations = obj["metadata"].get("annotations") or {}
        if not opted_in(annotations):
            return None
        try:
            read = ScalingPlanResource.read(plan)
        except ResourceError:
            return None
        return orders_for(annotations, read, self._flavor(read.status.flavor))

    def known(self) -> Known:
        """The names that a service may choose."""
        try:
            there = frozenset(obj["metadata"]["name"] for obj in self._flavors.objects(math.inf))
        except PlatformUnavailable:
            flavors = None
        else:
            flavors = there | frozenset(self._configured.flavors())
        return Known(flavors, self._configured.forecasters(), self._configured.planners())

    def _flavor(self, name: str | None) -> FlavorResource | None:
        if name is None:
            return None
        obj = _find(self._flavors, ServiceId(name))
        if obj is None:
            configured = self._configured.flavors().get(name)
            return None if configured is None else FlavorResource.of(configured)
        try:
            return FlavorResource.read(obj)
        except ResourceError:
            return None

    def _all(self) -> tuple[Reflector, ...]:
        return self._plans, self._flavors, self._services


def _find(reflector: Reflector, wanted: ServiceId) -> Object | None:
    namespace, _, name = wanted.rpartition("/")
    try:
        objects = reflector.objects(math.inf)
    except PlatformUnavailable:
        return None
    return next((obj for obj in objects if _is(obj["metadata"], namespace, name)), None)


def _is(metadata: Mapping[str, Any], namespace: str, name: str) -> bool:
    return (metadata.get("namespace", ""), metadata["name"]) == (namespace, name)
