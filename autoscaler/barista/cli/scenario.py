"""A scenario: a configuration like any other, with a section `trace`: what comes, and how
fast it is served.

    trace:
      days: 2                       # of the bundled departures, after four weeks that are learned from
      step_s: 300
      peak_rps: {default/digits: 45, default/resnet50: 8}
      service_time_ms: {digits: {cpu-1: "20:35"}, resnet50: {cpu-1: "110:140"}}    # mean:p95, model by flavor
      setup_time_s: 60
      queue_limit: 50

Without `service_time_ms`, profiles are those that the services' settings name (`profile`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from barista.cli.backtest_trace import of_departures
from barista.cli.compose import ControllerSpec
from barista.cli.forecast import WrongInput
from barista.cli.lognormal import lognormal
from barista.cli.virtual import play_virtually
from barista.load.arrivals import counted_arrivals, counts_at
from barista.platforms.simulated.run import SimulatedRun
from barista.profile.store import read_profiles
from barista.settings import parse_settings
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import DAY_S, Demand
from barista.values.service import ServiceId


class TraceSettings(BaseModel):
    """What comes: departures, scaled so that each service's busiest step has its `peak_rps`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: float = Field(1, gt=0, le=14)
    step_s: float = Field(300, ge=60)
    peak_rps: dict[str, float]
    service_time_ms: dict[str, dict[str, str]] = Field(default_factory=dict)
    setup_time_s: float = Field(60, ge=0)
    queue_limit: int | None = Field(None, ge=0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played: the configuration as it was written, what comes, and the measured behaviour."""

    settings: dict[str, Any]
    trace: TraceSettings
    profiles: tuple[ExecutionProfile, ...]


def read_scenario(path: Path) -> Scenario:
    """The scenario at `path`. SettingsError or WrongInput say what is wrong and where."""
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise WrongInput(f"{path}: cannot be read: {error}") from error
    if not isinstance(document, dict) or "trace" not in document:
        raise WrongInput(f"{path}: no section trace: need e.g. trace: {{peak_rps: {{default/a: 10}}}}")
    try:
        trace = TraceSettings.model_validate(document.pop("trace"))
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongInput(f"{path}: trace.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    settings = parse_settings(document, str(path))
    names = {f"{service.namespace}/{service.name}" for service in settings.services}
    if wrong := sorted(names ^ trace.peak_rps.keys()):
        raise WrongInput(f"{path}: trace.peak_rps: {', '.join(wrong)}: name every service once, and no other")
    measured = [
        measured
        for service in settings.services
        if service.profile is not None
        for measured in read_profiles(path.parent / service.profile)
    ]
    stated = [
        _stated(model, flavor, text, trace.setup_time_s, str(path))
        for model, flavors in trace.service_time_ms.items()
        for flavor, text in flavors.items()
    ]
    known = {(one.model, one.flavor): one for one in (*measured, *stated)}
    for service in (settings.resolve(chosen) for chosen in settings.services):
        if not any((service.model, flavor) in known for flavor in service.flavors):
            raise WrongInput(
                f"{path}: {service.id}: nothing says how fast {service.model} is"
                f" on {', '.join(service.flavors)}: give trace.service_time_ms, or a profile"
            )
    return Scenario(document, trace, tuple(known.values()))


def play_scenario(scenario: Scenario, policy: str, seed: int) -> SimulatedRun:
    """What comes of `scenario` under `policy`."""
    trace, source = scenario.trace, of_departures(scenario.trace.step_s)
    end_s = min(source.start_s + trace.days * DAY_S, source.end_s)
    busiest_rps = float(np.max(source.demand.until(end_s).values))
    counted = {
        ServiceId(name): counts_at(source.demand, peak_rps / busiest_rps, seed + number)
        for number, (name, peak_rps) in enumerate(sorted(trace.peak_rps.items()))
    }
    spec = ControllerSpec(
        settings=scenario.settings,
        policy=policy,
        policy_options={"peak_rps": trace.peak_rps} if policy == "static" else {},
        calendar=source.calendar,
        seed=seed,
    )
    settings = spec.parsed()
    first = {
        service.id: {_first_flavor(scenario, service.model, service.flavors): max(1, service.min_replicas)}
        for service in (settings.resolve(chosen) for chosen in settings.services)
    }
    return play_virtually(
        spec,
        scenario.profiles,
        {
            name: counted_arrivals(_between(demand, source.start_s, end_s), seed)
            for name, demand in counted.items()
        },
        {name: demand.until(source.start_s) for name, demand in counted.items()},
        first,
        (source.start_s, end_s),
        queue_limit=trace.queue_limit,
    )


def _between(demand: Demand, start_s: float, end_s: float) -> Demand:
    before = len(demand.until(start_s))
    return Demand(start_s, demand.step_s, demand.until(end_s).values[before:])


def _first_flavor(scenario: Scenario, model: str, flavors: tuple[str, ...]) -> str:
    known = {profile.flavor for profile in scenario.profiles if profile.model == model}
    return next(flavor for flavor in flavors if flavor in known)


def _stated(model: str, flavor: str, text: str, setup_s: float, place: str) -> ExecutionProfile:
    try:
        mean_s, p95_s = (float(part) / 1000 for part in text.split(":"))
        time_s = lognormal(mean_s, p95_s)
    except ValueError as error:
        raise WrongInput(
            f"{place}: trace.service_time_ms.{model}.{flavor}: {text!r}: need MEAN:P95: {error}"
        ) from None
    return ExecutionProfile(model, flavor, time_s, Distribution.constant(setup_s))
