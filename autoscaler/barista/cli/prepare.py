"""Before a run on this machine: models are built and profiles measured, both once, then kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from barista.models import BuiltModel, build_models
from barista.profile.store import read_profiles
from barista.settings import ServiceSettings, Settings, SettingsError
from barista.values.profile import ExecutionProfile
from barista.values.replica import Counts
from barista.values.service import Service, ServiceId

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs besides its settings: services resolved, their archives, profiles of their models.

    `models` are those of the store, by name.
    """

    settings: Settings
    services: tuple[Service, ...]
    models: Mapping[str, BuiltModel]
    archives: Mapping[ServiceId, Path]
    profiles: tuple[ExecutionProfile, ...]

    def profiles_of(self, service: Service) -> dict[str, ExecutionProfile]:
        """Profiles of the service's model on the flavors it may use, by flavor."""
        return {
            profile.flavor: profile
            for profile in self.profiles
            if profile.model == service.model and profile.flavor in service.flavors
        }

    def first_counts(self) -> dict[ServiceId, Counts]:
        """What a run starts with: each service's minimum, on its cheapest flavor that was measured."""
        flavors = self.settings.catalogue().flavors
        return {
            service.id: {
                min(
                    self.profiles_of(service), key=lambda f: (flavors[f].cost_per_hour, f)
                ): service.min_replicas
            }
            for service in self.services
            if service.min_replicas
        }


def prepare(settings: Settings, progress: Progress) -> Prepared:
    """Build the models of the store that the services use, and measure every model on its flavors.

    A service with an archive of its own needs a profile file of its own. Raises ModelError,
    MeasureError, ProfileError, SettingsError.
    """
    if not settings.services:
        raise SettingsError("services: none given: name at least one")
    services = tuple(settings.resolve(service) for service in settings.services)
    from_store = sorted({chosen.model for chosen in settings.services if chosen.archive is None})
    models = build_models(from_store, progress=progress) if from_store else {}
    archives: dict[ServiceId, Path] = {}
    profiles: dict[tuple[str, str], ExecutionProfile] = {}
    for chosen, service in zip(settings.services, services, strict=True):
        archives[service.id] = _archive(chosen, models)
        for profile in _profiles(chosen, service, settings, models, progress):
            profiles[profile.model, profile.flavor] = profile
    return Prepared(settings, services, models, archives, tuple(profiles.values()))


def _archive(chosen: ServiceSettings, models: Mapping[str, BuiltModel]) -> Path:
    if chosen.archive is None:
        return models[chosen.model].archive
    if not chosen.archive.is_file():
        raise SettingsError(f"services[{chosen.name}].archive: {chosen.archive}: no such file")
    return chosen.archive.resolve()


def _profiles(
    chosen: ServiceSettings,
    service: Service,
    settings: Settings,
    models: Mapping[str, BuiltModel],
    progress: Progress,
) -> Sequence[ExecutionProfile]:
    if chosen.profile is None:
        if chosen.archive is not None:
            raise SettingsError(
                f"services[{chosen.name}].profile: missing: a model with an archive of its own needs one;"
                f" measure it: barista profile --model {chosen.model} --archive … --sample … --flavor …"
            )
        return _measured(models[chosen.model], service, settings, progress)
    read = [p for p in read_profiles(chosen.profile) if p.model == service.model]
    if not any(profile.flavor in service.flavors for profile in read):
        raise SettingsError(
            f"services[{chosen.name}].profile: {chosen.profile} holds no profile of model {service.model!r}"
            f" on {', '.join(service.flavors)}: measure one with barista profile"
        )
    return read


def _measured(
    model: BuiltModel, service: Service, settings: Settings, progress: Progress
) -> list[ExecutionProfile]:
    from barista.platforms.local.cgroups import CpuLimiter
    from barista.platforms.local.torchserve import TorchServe
    from barista.profile.cached import cached_profiles
    from barista.profile.measure import Effort, Subject

    catalogue = settings.catalogue()
    subject = Subject(model.name, model.archive, model.body(), model.content_type)
    flavors = [catalogue.flavor(name) for name in service.flavors]
    found: list[ExecutionProfile] = []
    for family in dict.fromkeys(flavor.family for flavor in flavors):
        members = [flavor for flavor in flavors if flavor.family == family]
        found += cached_profiles(
            TorchServe(),
            subject,
            members,
            CpuLimiter,
            workers=catalogue.workers(members[0].name),
            measured=datetime.now(UTC).date().isoformat(),
            effort=Effort(starts=2),
            progress=progress,
        )
    return found
