"""Composition: a controller put together from its specification, with adapters chosen by name.

This is the one place where stages, plug-ins, platform and metrics meet.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from barista.capacity.published import PublishedCapacity
from barista.control.controller import Controller, Rhythm, Turn
from barista.control.cycle import Pass, Stages, cycle
from barista.control.decide import decide
from barista.control.learn import Learner
from barista.control.log import DecisionLog
from barista.control.observe import Watched, observe
from barista.control.rules import Rules
from barista.control.surge import surge
from barista.forecast.host import ForecasterHost
from barista.plan.host import PlannerHost
from barista.plan.pose import Horizon, pose
from barista.plugins import FORECASTERS, PLANNERS, load_plugin
from barista.policies import Policy
from barista.ports.forecaster import ForecastContext, Forecaster
from barista.ports.platform import MetricSource, Platform
from barista.profile.store import read_profiles
from barista.rails.rail import RailSettings
from barista.settings import Settings, parse_settings
from barista.values.decision import Memory, Outcome
from barista.values.problem import Plan, PlanLimits, PlanStatus
from barista.values.profile import Profiles
from barista.values.series import Calendar
from barista.values.service import PluginChoice, ServiceId
from barista.values.situation import Situation

FORECAST_LEVELS = (0.05, 0.5, 0.95)


class ControllerSpec(BaseModel):
    """What a controller process is told: written by whoever starts it, read by the process itself."""

    settings: dict[str, Any]
    profiles: Path
    policy: str = "barista"
    policy_options: dict[str, Any] = Field(default_factory=dict)
    calendar: Calendar = Calendar()
    seed: int = 0
    agent_url: str = ""
    prometheus_url: str = ""
    scrape_interval_s: float = 1.0

    @staticmethod
    def read(path: Path) -> "ControllerSpec":
        """The specification stored at `path`."""
        return ControllerSpec.model_validate_json(path.read_text())

    def write(self, path: Path) -> None:
        """Store the specification at `path`."""
        path.write_text(self.model_dump_json(indent=1))

    def parsed(self) -> Settings:
        """The settings it carries, checked."""
        return parse_settings(self.settings, "settings")


@dataclass(frozen=True, slots=True)
class Adapters:
    """Where the controller runs: what it acts on, what it sees with, where fits are done."""

    platform: Platform
    metrics: MetricSource
    executor: Executor


def watched(settings: Settings, profiles: Path) -> Watched:
    """The services of `settings` with their profiles from the file `profiles`."""
    measured = read_profiles(profiles)
    services = [settings.resolve(service) for service in settings.services]
    by_service: dict[ServiceId, Profiles] = {
        service.id: {p.flavor: p for p in measured if p.model == service.model} for service in services
    }
    return Watched(settings.catalogue(), services, by_service)


def rules_for(settings: Settings, seen: Watched) -> Rules:
    """The rules that follow from the settings and the profiles."""
    control = settings.control
    horizon = Horizon.spanning(
        [
            profile
            for service in seen.services
            for name, profile in seen.profiles[service.id].items()
            if name in service.flavors
        ],
        longest_lease_s=max((service.lease_s for service in seen.services), default=0.0),
        steps=control.steps,
        step_min_s=control.step_min_s,
        step_max_s=control.step_max_s,
    )
    rails = RailSettings(
        safety_margin=control.safety_margin,
        max_step_up=control.max_step_up,
        max_step_down=control.max_step_down,
        stabilisation_s=control.stabilisation_s,
        hysteresis=control.hysteresis,
    )
    hold_s = 2 * horizon.step_s
    return Rules(horizon, PublishedCapacity(), rails, surge_hold_s=hold_s)


def compose(spec: ControllerSpec, adapters: Adapters, log: Path | None, *, live: bool = True) -> Controller:
    """The controller of `spec` on `adapters`, logging below `log`.

    With `live` off the planner's limits are deterministic (nodes, not seconds), for virtual time.
    """
    settings = spec.parsed()
    seen = watched(settings, spec.profiles)
    rules = rules_for(settings, seen)
    control = settings.control

    def look(memory: Memory, now_s: float) -> Situation:
        return observe(
            seen, adapters.platform, adapters.metrics, memory, now_s, control.window_s, rules.horizon.step_s
        )

    common: dict[str, Any] = {"platform": adapters.platform, "log": DecisionLog(log, rules) if log else None}
    if spec.policy != "barista":
        rival = make_policy(spec.policy, spec.policy_options, seen, rules)
        return Controller(turn=rival_turn(look, rival), rhythm=Rhythm(control.cycle_s), **common)

    host = ForecasterHost(
        make=make_forecaster,
        context=ForecastContext(
            calendar=spec.calendar, steps=rules.horizon.steps + 2, levels=FORECAST_LEVELS, seed=spec.seed
        ),
        step_s=rules.horizon.step_s,
        executor=adapters.executor,
    )
    learner = Learner(host, adapters.metrics, control.learn_s, control.history_s, rules.horizon.step_s)
    planner = planner_host(settings, live=live)
    stages = Stages(
        observe=look,
        foresee=lambda situation: foresee(host, situation),
        pose=lambda situation, forecasts, now_s: pose(
            situation, forecasts, now_s, rules.horizon, rules.capacity
        ),
        solve=planner.solve,
        decide=lambda situation, forecasts, plan, now_s: decide(situation, forecasts, plan, now_s, rules),
    )

    def raise_now(memory: Memory, now_s: float) -> Outcome:
        return surge(look(memory, now_s), now_s, rules)

    return Controller(
        turn=lambda memory, now_s: cycle(stages, memory, now_s),
        rhythm=Rhythm(control.cycle_s, control.surge_s if control.surge else None),
        surge=raise_now if control.surge else None,
        learn=lambda now_s: learner.learn(seen.services, now_s),
        **common,
    )


def foresee(host: ForecasterHost, situation: Situation) -> Mapping[ServiceId, Any]:
    """Forecasts for the services of `situation`, after the host has seen their recent demand."""
    for view in situation.services:
        if view.observation.recent is not None:
            host.observe(view.service.id, view.observation.recent)
    return host.foresee([view.service for view in situation.services], situation.at_s)


def make_forecaster(choice: PluginChoice) -> Forecaster:
    """The forecaster plug-in of `choice`. PluginError when there is none."""
    made: Forecaster = load_plugin(FORECASTERS, choice.name, choice.options)
    return made


def planner_host(settings: Settings, *, live: bool) -> PlannerHost:
    """The configured planner behind its guard."""
    options = dict(settings.planner.options)
    seconds, gap = float(options.pop("time_limit_s", 5.0)), float(options.pop("gap", 0.01))
    limits = PlanLimits(seconds, gap) if live else PlanLimits(None, gap, node_limit=200)
    return PlannerHost(load_plugin(PLANNERS, settings.planner.name, options), limits)


def rival_turn(look: Callable[[Memory, float], Situation], policy: Policy) -> Turn:
    """A rival's rules on the same situation, as a turn of the controller."""

    def turn(memory: Memory, now_s: float) -> Pass:
        situation = look(memory, now_s)
        plan = Plan({}, PlanStatus.FAILED, policy.name, note="a policy without a plan")
        return Pass(situation, {}, plan, policy.decide(situation, memory))

    return turn
