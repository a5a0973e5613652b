"""Settings: what the operator configured, read once and resolved into values.

One schema serves every command that reads a configuration file (``barista.yaml``). A service's
settings resolve once, in this order: what the service itself says, the operator's defaults in the
file (environment variables ``BARISTA_…`` override them), the defaults of this module. Paths in a file
are relative to it.
"""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableSource

from barista.capacity.make import CapacityName
from barista.plugins import FORECASTERS, plugin_names
from barista.values.events import Event, WrongEvents, read_events
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.holidays import UnknownCountry, holidays_of
from barista.values.series import Calendar
from barista.values.service import Authority, PluginChoice, Service, ServiceId, Slo
from barista.values.webhook import Webhook

ENV_PREFIX = "BARISTA_"
ENV_DELIMITER = "__"

M = TypeVar("M", bound=BaseModel)


class SettingsError(Exception):
    """A configuration is wrong; the message names the thing, the place and the mend."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginSettings(_Strict):
    """A plug-in by name, with its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    def choice(self) -> PluginChoice:
        """As a value."""
        return PluginChoice(self.name, self.options)


class WebhookSettings(_Strict):
    """Where a forecaster that runs elsewhere is asked."""

    url: str
    timeout_s: float = Field(2, gt=0, le=10)
    ca_file: Path | None = None
    history_steps: int = Field(10_000, ge=1, description="steps of demand sent with each question")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r}: need a URL like https://forecaster.example/v1/forecast")
        return url

    def named(self, name: str) -> Webhook:
        """As a value, for the forecaster `name`."""
        ca_file = str(self.ca_file) if self.ca_file else None
        return Webhook(name, self.url, self.timeout_s, ca_file, self.history_steps)


class ForecasterSettings(_Strict):
    """A forecaster that the operator names; services choose it by that name like any other."""

    webhook: WebhookSettings


class PoolSettings(_Strict):
    """A node pool's capacity."""

    cpu: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    gpu: float = Field(0, ge=0)


class FlavorSettings(_Strict):
    """A flavor of the catalogue."""

    pool: str
    cpu: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    gpu: float = Field(0, ge=0)
    cost_per_hour: float = Field(ge=0)
    family: str = ""


class ServiceDefaults(_Strict):
    """What a service may set for itself; the operator's defaults have the same fields."""

    latency_slo_ms: float = Field(500, gt=0)
    latency_percentile: float = Field(95, ge=1, lt=100, description="in percent")
    flavors: list[str] = Field(default_factory=list)
    min_replicas: int = Field(1, ge=0)
    max_replicas: int = Field(10, ge=1)
    authority: Authority = Authority.ADVISE
    forecaster: PluginSettings = PluginSettings(name="ensemble")
    demand_quantile: float | None = Field(
        None, gt=0, lt=1, description="the quantile of demand to buy; unset: what shortage and capacity cost"
    )
    shortfall_cost_per_request: float | None = Field(
        None, ge=0, description="what a request costs that goes unserved; unset: what the SLO implies"
    )
    lease_s: float = Field(0, ge=0)
    concurrency: int = Field(1, ge=1)
    priority: float = Field(1, gt=0, description="weight of its requests where room is short")


class ServiceSettings(ServiceDefaults):
    """One service: its name, its model archive, and what it sets for itself."""

    name: str
    namespace: str = "default"
    model: str
    archive: Path | None = None
    profile: Path | None = None


class ControlSettings(_Strict):
    """The rhythms of control. The planning step follows the shortest set-up time within its bounds."""

    cycle_s: float = Field(30, gt=0)
    surge_s: float = Field(2, gt=0)
    surge: bool = True
    learn_s: float = Field(6 * 3600, gt=0, description="seconds of series time between refits")
    fit_workers: int = Field(1, ge=1, description="processes that fit forecasters")
    forecast_workers: int = Field(
        1, ge=1, description="processes that forecast; each holds its services' states"
    )
    state_dir: Path | None = Field(
        None, description="where fitted forecasters lie; only its owner may write to it"
    )
    steps: int = Field(12, ge=1)
    step_min_s: float = Field(10, gt=0)
    step_max_s: float = Field(300, gt=0)
    window_s: float = Field(60, gt=0, description="window of latency and recent demand")
    history_s: float = Field(28 * 86_400, gt=0)
    stale_after_s: float = Field(60, gt=0)
    capacity: CapacityName = Field("mgc", description="the model of what replicas serve within the SLO")
    stabilisation_s: float = Field(120, ge=0)
    hysteresis: float = Field(0.1, ge=0)
    safety_margin: float = Field(1.0, ge=1)
    switching_steps: float = Field(
        1.0, ge=0, description="a start, stop or resize costs that many steps of the cheapest flavor"
    )
    max_step_up: int = Field(1000, ge=1, description="replicas added to one service in one cycle")
    max_step_down: int = Field(1000, ge=1, description="replicas taken from one service in one cycle")

    @model_validator(mode="after")
    def _steps_in_order(self) -> Self:
        if self.step_min_s > self.step_max_s:
            raise ValueError(
                f"step_min_s {self.step_min_s:g} is above step_max_s {self.step_max_s:g}: lower it"
            )
        return self


class PrometheusSettings(_Strict):
    """The Prometheus that a controller on a cluster asks, and how often that scrapes the queue-proxies."""

    url: str = Field("", description="like http://prometheus.monitoring:9090; also Thanos, Mimir, …")
    scrape_interval_s: float = Field(2, gt=0)


class Settings(BaseSettings):
    """The whole configuration (``barista.yaml``); environment: ``BARISTA_CONTROL__CYCLE_S=10``."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", frozen=True
    )

    pools: dict[str, PoolSettings]
    flavors: dict[str, FlavorSettings]
    defaults: ServiceDefaults = ServiceDefaults()
    services: list[ServiceSettings] = Field(default_factory=list)
    planner: PluginSettings = PluginSettings(name="auto", options={"time_limit_s": 5, "gap": 0.01})
    control: ControlSettings = ControlSettings()
    time_zone: str = "UTC"
    country: str = Field("", description="whose public holidays count: DE, or a part like DE-BY")
    events: Path | None = Field(None, description="CSV of start,end,name,effect in local times")
    forecasters: dict[str, ForecasterSettings] = Field(default_factory=dict)
    prometheus: PrometheusSettings = PrometheusSettings()

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            raise ValueError(f"{name!r}: no such time zone; need a name like Europe/Berlin") from None
        return name

    @field_validator("country")
    @classmethod
    def _known_country(cls, code: str) -> str:
        if code:
            try:
                holidays_of(code, date.today().year)
            except UnknownCountry as error:
                raise ValueError(str(error)) from None
        return code

    @field_validator("forecasters")
    @classmethod
    def _names_of_their_own(cls, named: dict[str, ForecasterSettings]) -> dict[str, ForecasterSettings]:
        taken = sorted({*named} & {*plugin_names(FORECASTERS)})
        if taken:
            raise ValueError(f"{', '.join(taken)}: an installed forecaster has this name: choose another")
        return named

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the file (which comes in as init arguments)."""
        return env_settings, init_settings

    def catalogue(self) -> Catalogue:
        """Pools and flavors as values. SettingsError when they do not fit together."""
        try:
            return Catalogue(
                {name: Pool(name, p.cpu, p.memory_gib, p.gpu) for name, p in self.pools.items()},
                {name: Flavor(name=name, **f.model_dump()) for name, f in self.flavors.items()},
            )
        except ValueError as error:
            raise SettingsError(str(error)) from error

    def calendar(self) -> Calendar:
        """The operator's calendar, with the events of the file. SettingsError when that is wrong."""
        events: tuple[Event, ...] = ()
        if self.events is not None:
            try:
                with self.events.open(encoding="utf-8-sig", newline="") as lines:
                    events = read_events(lines, str(self.events))
            except OSError as error:
                reason = error.strerror or error
                raise SettingsError(f"events: {self.events}: cannot be read: {reason}") from error
            except WrongEvents as error:
                raise SettingsError(f"events: {error}") from error
        return Calendar(self.time_zone, country=self.country, events=events)

    def webhooks(self) -> tuple[Webhook, ...]:
        """The forecasters that are asked elsewhere."""
        return tuple(chosen.webhook.named(name) for name, chosen in self.forecasters.items())

    def resolve(self, service: ServiceSettings) -> Service:
        """The service's settings over the operator's defaults, as a value."""
        merged = self.defaults.model_copy(
            update={name: getattr(service, name) for name in _chosen(service) & _DEFAULTED}
        )
        place = f"services[{service.name}]" if "flavors" in _chosen(service) else "defaults"
        self._check_flavors(merged.flavors, f"{place}.flavors")
        try:
            return Service(
                id=ServiceId(f"{service.namespace}/{service.name}"),
                model=service.model,
                slo=Slo(merged.latency_slo_ms / 1000, merged.latency_percentile / 100),
                flavors=tuple(merged.flavors or self.flavors),
                min_replicas=merged.min_replicas,
                max_replicas=merged.max_replicas,
                authority=merged.authority,
                forecaster=merged.forecaster.choice(),
                demand_quantile=merged.demand_quantile,
                shortfall_cost_per_request=merged.shortfall_cost_per_request,
                lease_s=merged.lease_s,
                concurrency=merged.concurrency,
                priority=merged.priority,
            )
        except ValueError as error:
            raise SettingsError(f"services[{service.name}]: {error}") from error

    def _check_flavors(self, names: Sequence[str], place: str) -> None:
        known = ", ".join(sorted(self.flavors))
        for name in names:
            if name not in self.flavors:
                raise SettingsError(f"{place}: flavor {name!r}: no such flavor; known: {known}")
            if names.count(name) > 1:
                raise SettingsError(f"{place}: flavor {name!r}: given more than once: remove one")


_DEFAULTED = frozenset(ServiceDefaults.model_fields)


def _chosen(model: BaseModel) -> frozenset[str]:
    return frozenset(model.model_fields_set)


def load_settings(path: Path) -> Settings:
    """Read a configuration file. SettingsError says in one line what is wrong and where."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path}: not YAML{where}: {getattr(error, 'problem', error)}") from error
    settings = _with_paths_below(path.absolute().parent, parse_settings(document, str(path)))
    try:
        _check_files(settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return settings


def parse_settings(document: object, place: str) -> Settings:
    """Settings from a parsed document; `place` is named in errors."""
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise SettingsError(f"{place}: need a mapping with pools, flavors and services at the top")
    try:
        settings = Settings(**document)
    except ValidationError as error:
        raise SettingsError(_first_fault(error, place)) from error
    except UnreadableSource as error:
        raise SettingsError(f"environment {ENV_PREFIX}…: {error}: need JSON") from error
    try:
        _check(settings)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from error
    return settings


def _check(settings: Settings) -> None:
    names = [f"{s.namespace}/{s.name}" for s in settings.services]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"services: {', '.join(twice)} given more than once: rename one")
    settings.catalogue()
    for service in settings.services:
        settings.resolve(service)


def _first_fault(error: ValidationError, place: str) -> str:
    first = error.errors()[0]
    variable = ENV_PREFIX + ENV_DELIMITER.join(str(part) for part in first["loc"]).upper()
    if variable in os.environ:
        place = f"environment {variable}"
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: {where}: no such setting: correct its name or remove it"
    return f"{place}: {where}: {first['msg'].removeprefix('Value error, ')}"


def _check_files(settings: Settings) -> None:
    settings.calendar()
    for name, forecaster in settings.forecasters.items():
        file = forecaster.webhook.ca_file
        if file is not None and not file.is_file():
            raise SettingsError(f"forecasters.{name}.webhook.ca_file: no such file {file}")


def _with_paths_below(folder: Path, settings: Settings) -> Settings:
    services = [_placed(service, folder, "archive", "profile") for service in settings.services]
    forecasters = {
        name: chosen.model_copy(update={"webhook": _placed(chosen.webhook, folder, "ca_file")})
        for name, chosen in settings.forecasters.items()
    }
    control = _placed(settings.control, folder, "state_dir")
    placed = settings.model_copy(
        update={"services": services, "forecasters": forecasters, "control": control}
    )
    return _placed(placed, folder, "events")


def _placed(model: M, folder: Path, *names: str) -> M:
    """`model` with the paths that its fields `names` hold taken to be below `folder`."""
    given = {name: getattr(model, name) for name in names}
    return model.model_copy(update={name: folder / path for name, path in given.items() if path is not None})
