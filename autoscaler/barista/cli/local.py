"""A run on this machine: what has to be there before it starts, and the files it is told by.

`demo` and `run` share this: models are built, profiles measured (both once, then kept), and one
directory holds everything a run writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from barista.models import BuiltModel, build_models
from barista.profile.store import write_profiles
from barista.settings import ServiceSettings, Settings, SettingsError
from barista.values.profile import ExecutionProfile
from barista.values.replica import Counts
from barista.values.service import Service, ServiceId

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs besides its settings: resolved services, archives, profiles by model."""

    settings: Settings
    services: tuple[Service, ...]
    models: dict[str, BuiltModel]
    archives: dict[ServiceId, Path]
    profiles: tuple[ExecutionProfile, ...]

    def write_profiles(self, path: Path) -> None:
        """Write the profiles as a file that a controller reads."""
        write_profiles(path, self.profiles)

    def setup_s(self, service: Service, level: float) -> float:
        """Set-up time (s) of `service` that a share `level` of the starts keep, on its slowest flavor."""
        times = [
            profile.setup_time.quantile(level)
            for profile in self.profiles
            if profile.model == service.model and profile.flavor in service.flavors
        ]
        return max(times)


def prepare(settings: Settings, progress: Progress) -> Prepared:
    """Build the models of the store that the services use, and measure every model on its flavors.

    A service with an archive of its own needs a profile file of its own. Raises ModelError,
    MeasureError, ProfileError, SettingsError.
    """
    if not settings.services:
        raise SettingsError("services: none given: name at least one")
    services = tuple(settings.resolve(service) for service in settings.services)
    from_store = sorted({s.model for s in settings.services if s.archive is None})
    models = build_models(from_store, progress=progress) if from_store else {}
    archives: dict[ServiceId, Path] = {}
    profiles: dict[tuple[str, str], ExecutionProfile] = {}
    for chosen, service in zip(settings.services, services, strict=True):
        archives[service.id] = _archive(chosen, models)
        for profile in _profiles(chosen, service, settings, models, progress):
            profiles[profile.model, profile.flavor] = profile
    return Prepared(settings, services, models, archives, tuple(profiles.values()))


def first_counts(prepared: Prepared) -> dict[ServiceId, Counts]:
    """What a run starts with: each service's minimum, on the flavor that costs least."""
    flavors = prepared.settings.catalogue().flavors
    return {
        service.id: {min(service.flavors, key=lambda f: (flavors[f].cost_per_hour, f)): service.min_replicas}
        for service in prepared.services
        if service.min_replicas
    }


def _archive(chosen: ServiceSettings, models: dict[str, BuiltModel]) -> Path:
    if chosen.archive is None:
        return models[chosen.model].archive
    if not chosen.archive.is_file():
        raise SettingsError(f"services[{chosen.name}].archive: {chosen.archive}: no such file")
    return chosen.archive.resolve()


def _profiles(
    chosen: ServiceSettings,
    service: Service,
    settings: Settings,
    models: dict[str, BuiltModel],
    progress: Progress,
) -> Sequence[ExecutionProfile]:
    from barista.profile.store import read_profiles

    if chosen.profile is not None:
        return [profile for profile in read_profiles(chosen.profile) if profile.model == service.model]
    if chosen.model not in models:
        raise SettingsError(
            f"services[{chosen.name}].profile: missing: a model with an archive of its own needs one;"
            f" measure it: barista profile --model {chosen.model} --archive … --sample … -o profiles.yaml"
        )
    return _measured(models[chosen.model], service, settings, progress)


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
