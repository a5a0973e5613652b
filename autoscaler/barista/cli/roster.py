"""The roster: which services of a cluster are scaled, with their settings resolved.

A service's settings come from its annotations, its ScalingPlan, its template (bounds and concurrency, in
Knative's own words), the operator's configuration and the defaults, in this order. Flavors come from
the configuration and from the cluster. Whoever names what is not there is refused with its reason,
and nobody else is touched by that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from barista.control.observe import Watched
from barista.platforms.knative.annotations import AnnotationError, Choices, Known, check_names, read_choices
from barista.platforms.knative.resources import FlavorResource
from barista.platforms.knative.schema import ResourceError
from barista.platforms.knative.snapshot import Snapshot
from barista.platforms.knative.state import ServiceState
from barista.plugins import FORECASTERS, PLANNERS, plugin_names
from barista.settings import FlavorSettings, PluginSettings, ServiceSettings, Settings, SettingsError
from barista.values.profile import ExecutionProfile, Profiles
from barista.values.service import Service, ServiceId


@dataclass(frozen=True, slots=True)
class Roster:
    """The services that are scaled; those that are paused; those refused, and the objects, with reasons."""

    settings: Settings
    watched: Watched
    paused: frozenset[ServiceId] = frozenset()
    refused: Mapping[ServiceId, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def services(self) -> Mapping[ServiceId, Service]:
        """The services that are scaled, by their identity."""
        return {service.id: service for service in self.watched.services}


def make_roster(configured: Settings, snapshot: Snapshot) -> Roster:
    """The roster of what `snapshot` shows, under the operator's `configured` settings."""
    settings, faults = _with_flavors(configured, snapshot.flavors)
    known = Known(
        flavors=frozenset(settings.flavors),
        forecasters=frozenset({*_installed(FORECASTERS), *settings.forecasters}),
        planners=frozenset(_installed(PLANNERS)),
    )
    measured, unreadable = _measured(snapshot)
    services: list[Service] = []
    profiles: dict[ServiceId, Profiles] = {}
    paused: set[ServiceId] = set()
    refused: dict[ServiceId, str] = {
        ServiceId(name): text for name, text in snapshot.faults.items() if "/" in name and " " not in name
    }
    for state in snapshot.opted_in():
        try:
            choices = _choices(state, snapshot)
            check_names(choices, known, state.id)
            service = settings.resolve(_settings_of(state, choices, settings, measured))
        except (AnnotationError, SettingsError) as error:
            refused[state.id] = str(error)
            continue
        known_profiles = measured.get((state.namespace, service.model), {})
        if not set(service.flavors) & set(known_profiles):
            refused[state.id] = (
                f"{state.id}: no ExecutionProfile of model {service.model!r} in its namespace for any of"
                f" {', '.join(service.flavors)}: measure one with barista profile"
            )
            continue
        services.append(service)
        profiles[service.id] = known_profiles
        if choices.paused:
            paused.add(service.id)
    watched = Watched(settings.catalogue(), services, profiles)
    return Roster(settings, watched, frozenset(paused), refused, {**snapshot.faults, **faults, **unreadable})


@cache
def _installed(group: str) -> tuple[str, ...]:
    """The plug-ins of `group`: what is installed does not change while this runs."""
    return plugin_names(group)


def _choices(state: ServiceState, snapshot: Snapshot) -> Choices:
    plan = snapshot.plans.get(state.id)
    said = read_choices(state.annotations, state.id)
    return said if plan is None else said.over(plan.spec.choices())


def _settings_of(
    state: ServiceState,
    choices: Choices,
    settings: Settings,
    measured: Mapping[tuple[str, str], Profiles],
) -> ServiceSettings:
    """What the service says for itself, in the words of the configuration."""
    model = choices.profile or state.name
    workers = [profile.workers for profile in measured.get((state.namespace, model), {}).values()]
    said: dict[str, Any] = {
        "latency_slo_ms": choices.latency_slo_ms,
        "latency_percentile": choices.latency_percentile,
        "flavors": None if choices.flavors is None else list(choices.flavors),
        "authority": choices.authority,
        "priority": choices.priority,
        "forecaster": _forecaster(choices.forecaster, settings.defaults.forecaster),
        "min_replicas": state.own_bounds.least,
        # Without limit is no number to plan with: the operator's default holds then.
        "max_replicas": state.own_bounds.most or None,
        "concurrency": state.container_concurrency or (min(workers) if workers else None),
    }
    given = {name: value for name, value in said.items() if value is not None}
    return ServiceSettings(name=state.name, namespace=state.namespace, model=model, **given)


def _forecaster(name: str | None, usual: PluginSettings) -> PluginSettings | None:
    """The forecaster `name`; the operator's options are for the one that he chose."""
    return None if name is None or name == usual.name else PluginSettings(name=name)


def _with_flavors(
    settings: Settings, flavors: Mapping[str, FlavorResource]
) -> tuple[Settings, Mapping[str, str]]:
    """`settings` with the cluster's flavors beside its own; those that cannot be used, with the reason."""
    merged, faults = dict(settings.flavors), dict[str, str]()
    for name, resource in sorted(flavors.items()):
        flavor = resource.flavor()
        if flavor.pool not in settings.pools:
            known = ", ".join(sorted(settings.pools)) or "none"
            faults[f"Flavor {name}"] = f"Flavor {name}: no such pool {flavor.pool!r}; known: {known}"
            continue
        merged[name] = FlavorSettings(
            pool=flavor.pool,
            cpu=flavor.cpu,
            memory_gib=flavor.memory_gib,
            gpu=flavor.gpu,
            cost_per_hour=flavor.cost_per_hour,
            family=flavor.family,
        )
    return settings.model_copy(update={"flavors": merged}), faults


def _measured(snapshot: Snapshot) -> tuple[Mapping[tuple[str, str], Profiles], Mapping[str, str]]:
    """Profiles by namespace and model, and those that cannot be used, with the reason."""
    found: dict[tuple[str, str], dict[str, ExecutionProfile]] = {}
    faults: dict[str, str] = {}
    for resource in snapshot.profiles:
        try:
            profile = resource.profile()
        except ResourceError as error:
            faults[f"ExecutionProfile {resource.id}"] = str(error)
            continue
        found.setdefault((resource.metadata.namespace or "", profile.model), {})[profile.flavor] = profile
    return found, faults
