"""A snapshot: everything of the cluster that one look needs, from copies that watches keep in memory.

Looking costs no request. A copy that is out of date makes the whole look fail: what is not known
must not be mistaken for what is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barista.platforms.knative.annotations import opted_in
from barista.platforms.knative.client import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    FLAVORS,
    PLANS,
    PODS,
    PROFILES,
    REVISIONS,
    SERVICES,
    ApiServer,
    Kind,
    Object,
)
from barista.platforms.knative.dialect import AUTOSCALER_CONFIG, SERVICE_LABEL, SYSTEM_NAMESPACE
from barista.platforms.knative.resources import ExecutionProfileResource, FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.platforms.knative.schema import ResourceError
from barista.platforms.knative.state import (
    ClusterConfig,
    ServiceState,
    by_service,
    read_config,
    read_service,
    service_of,
)
from barista.platforms.knative.watching import Reflector, wait_listed
from barista.values.service import ServiceId

STALE_AFTER_S = 15.0
"""How long a copy may have been cut off before it counts as unknown."""
LISTED_WITHIN_S = 30.0
OF_SERVICES = {"labelSelector": SERVICE_LABEL}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one moment. Services are those that opted in or have a ScalingPlan.

    `faults` tells, by what it is about, which objects could not be read and why.
    """

    config: ClusterConfig = field(default_factory=ClusterConfig)
    services: Mapping[ServiceId, ServiceState] = field(default_factory=dict)
    plans: Mapping[ServiceId, ScalingPlanResource] = field(default_factory=dict)
    pods: Mapping[ServiceId, Sequence[Object]] = field(default_factory=dict)
    deployments: Mapping[ServiceId, Sequence[Object]] = field(default_factory=dict)
    flavors: Mapping[str, FlavorResource] = field(default_factory=dict)
    profiles: Sequence[ExecutionProfileResource] = ()
    faults: Mapping[str, str] = field(default_factory=dict)

    def opted_in(self) -> tuple[ServiceState, ...]:
        """The services that asked for Barista, in the order of their names."""
        return tuple(self.services[name] for name in sorted(self.services) if self.asked(name))

    def asked(self, service: ServiceId) -> bool:
        """Whether `service` is there and asked for Barista."""
        return service in self.services and opted_in(self.services[service].annotations)


class ClusterWatch:
    """Watches over all that Barista reads of a cluster; a look at it is a `Snapshot`."""

    def __init__(self, server: ApiServer) -> None:
        def watch(kind: Kind, selectors: Mapping[str, str] | None = None) -> Reflector:
            return Reflector(server, kind, selectors=selectors)

        self.services, self.revisions = watch(SERVICES), watch(REVISIONS, OF_SERVICES)
        self.pods, self.deployments = watch(PODS, OF_SERVICES), watch(DEPLOYMENTS, OF_SERVICES)
        self.plans, self.flavors, self.profiles = watch(PLANS), watch(FLAVORS), watch(PROFILES)
        self.config = Reflector(
            server,
            CONFIG_MAPS,
            namespace=SYSTEM_NAMESPACE,
            selectors={"fieldSelector": f"metadata.name={AUTOSCALER_CONFIG}"},
        )

        self._snapshot, self._read_at = Snapshot(), tuple[int, ...]()

    @property
    def reflectors(self) -> tuple[Reflector, ...]:
        """All watches."""
        return (
            self.services,
            self.revisions,
            self.pods,
            self.deployments,
            self.plans,
            self.flavors,
            self.profiles,
            self.config,
        )

    def start(self) -> None:
        """Begin to watch."""
        for reflector in self.reflectors:
            reflector.start()

    def stop(self) -> None:
        """End all watches."""
        for reflector in self.reflectors:
            reflector.stop()

    def wait_listed(self, within_s: float = LISTED_WITHIN_S) -> None:
        """Wait until everything was seen once. PlatformUnavailable when it was not `within_s`."""
        wait_listed(self.reflectors, within_s)

    def look(self) -> Snapshot:
        """The cluster as it is now. PlatformUnavailable when a watch has been cut off for too long."""
        changes = tuple(reflector.changes for reflector in self.reflectors)
        for reflector in self.reflectors:
            reflector.require_fresh(STALE_AFTER_S)
        if changes != self._read_at:
            copies = (reflector.objects(STALE_AFTER_S) for reflector in self.reflectors)
            self._snapshot, self._read_at = read_snapshot(*copies), changes
        return self._snapshot


def read_snapshot(
    services: Sequence[Object],
    revisions: Sequence[Object],
    pods: Sequence[Object] = (),
    deployments: Sequence[Object] = (),
    plans: Sequence[Object] = (),
    flavors: Sequence[Object] = (),
    profiles: Sequence[Object] = (),
    config: Sequence[Object] = (),
) -> Snapshot:
    """The snapshot that these objects make; those that cannot be read are its faults."""
    faults: dict[str, str] = {}
    read_plans: dict[ServiceId, ScalingPlanResource] = {}
    for obj in plans:
        try:
            read_plans[service_of(obj)] = ScalingPlanResource.read(obj)
        except ResourceError as error:
            faults[service_of(obj)] = str(error)
    revisions_of, found = by_service(revisions), dict[ServiceId, ServiceState]()
    for obj in services:
        name = service_of(obj)
        if name in read_plans or opted_in(obj["metadata"].get("annotations") or {}):
            try:
                found[name] = read_service(obj, revisions_of.get(name, ()))
            except ValueError as error:
                faults[name] = f"{name}: {error}"
    read_flavors, read_profiles = dict[str, FlavorResource](), list[ExecutionProfileResource]()
    for obj in flavors:
        try:
            read_flavors[obj["metadata"]["name"]] = FlavorResource.read(obj)
        except ResourceError as error:
            faults[f"Flavor {obj['metadata']['name']}"] = str(error)
    for obj in profiles:
        try:
            read_profiles.append(ExecutionProfileResource.read(obj))
        except ResourceError as error:
            faults[f"ExecutionProfile {obj['metadata']['name']}"] = str(error)
    return Snapshot(
        config=read_config(config[0]) if config else ClusterConfig(),
        services=found,
        plans=read_plans,
        pods=by_service(pods),
        deployments=by_service(deployments),
        flavors=read_flavors,
        profiles=read_profiles,
        faults=faults,
    )
