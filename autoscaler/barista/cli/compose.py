"""Composition: a controller put together from its specification, on given adapters.

This is the one place where stages, plug-ins, platform and metrics meet.
"""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from barista.capacity.published import PublishedCapacity
from barista.control.controller import Controller, Rhythm
from barista.control.cycle import Forecasts, Stages, cycle
from barista.control.decide import decide
from barista.control.learn import Learner
from barista.control.log import DecisionLog
from barista.control.observe import Watched, observe
from barista.control.rules import Rules
from barista.control.surge import surge
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.plan.host import PlannerHost
from barista.plan.pose import Horizon, pose
from barista.plugins import PLANNERS, load_plugin
from barista.policies import make_policy, rival_turn
from barista.ports.forecaster import ForecastContext
from barista.ports.platform import MetricSource, Platform
from barista.rails.rail import RailSettings
from barista.settings import Settings, parse_settings
from barista.values.decision import Memory
from barista.values.problem import PlanLimits
from barista.values.profile import ExecutionProfile, Profiles
from barista.values.series import Calendar
from barista.values.service import ServiceId
from barista.values.situation import Situation

OURS = "barista"
SPEC, PROFILES = "controller.json", "profiles.yaml"
"""What a controller process reads in its run's directory."""
SHOWN_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles that every forecast states, besides those that services buy."""
FORECAST_LIMIT_S = 2.0
"""For the forecasts of one cycle together, besides what one webhook may take."""
NODE_LIMIT = 200
"""Branch-and-bound nodes where seconds would not be repeatable."""


class ControllerSpec(BaseModel):
    """What a controller process is told: written by whoever starts it, read by the process itself."""

    settings: dict[str, Any]
    policy: str = OURS
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
    """Where the controller runs: what it acts on, what it sees with, and where plug-ins work."""

    platform: Platform
    metrics: MetricSource
    fits: Executor
    forecasts: Executor
    plans: Executor


def watched(settings: Settings, measured: Iterable[ExecutionProfile]) -> Watched:
    """The services of `settings` with those of the profiles `measured` that are of their models."""
    measured = tuple(measured)
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
    return Rules(horizon, PublishedCapacity(), rails, surge_hold_s=2 * horizon.step_s)


def compose(
    spec: ControllerSpec,
    measured: Iterable[ExecutionProfile],
    adapters: Adapters,
    log: Path | None,
    *,
    live: bool = True,
) -> Controller:
    """The controller of `spec` on `adapters`, with the profiles `measured`, logging below `log`.

    With `live` off the planner's limits are deterministic (nodes, not seconds), for virtual time.
    """
    settings = spec.parsed()
    seen = watched(settings, measured)
    rules = rules_for(settings, seen)
    control = settings.control
    kept = DecisionLog(log, rules) if log else None

    def look(memory: Memory, now_s: float) -> Situation:
        return observe(
            seen, adapters.platform, adapters.metrics, memory, now_s, control.window_s, rules.horizon.step_s
        )

    if spec.policy != OURS:
        rival = make_policy(spec.policy, spec.policy_options, seen, rules)
        return Controller(
            turn=rival_turn(
                rival, seen, adapters.platform, adapters.metrics, control.window_s, rules.horizon.step_s
            ),
            platform=adapters.platform,
            rhythm=Rhythm(rival.tick_s or control.cycle_s),
            log=kept,
        )

    levels = tuple(sorted({*SHOWN_LEVELS, *(service.demand_quantile for service in seen.services)}))
    host = ForecasterHost(
        make=MakeForecaster(settings.webhooks()),
        context=ForecastContext(spec.calendar, rules.horizon.steps + 2, levels, spec.seed),
        step_s=rules.horizon.step_s,
        executor=adapters.forecasts,
        learner=adapters.fits,
        forecast_limit_s=FORECAST_LIMIT_S + max((w.timeout_s for w in settings.webhooks()), default=0.0),
    )
    learner = Learner(host, adapters.metrics, control.learn_s, control.history_s, rules.horizon.step_s)
    planner = _planner_host(settings, adapters.plans, live=live)
    stages = Stages(
        observe=look,
        foresee=lambda situation: _foresee(host, situation),
        pose=lambda situation, forecasts, now_s: pose(
            situation, forecasts, now_s, rules.horizon, rules.capacity
        ),
        solve=planner.solve,
        decide=lambda situation, forecasts, plan, now_s: decide(situation, forecasts, plan, now_s, rules),
    )
    return Controller(
        turn=lambda memory, now_s: cycle(stages, memory, now_s),
        platform=adapters.platform,
        rhythm=Rhythm(control.cycle_s, control.surge_s if control.surge else None),
        surge=(lambda memory, now_s: surge(look(memory, now_s), now_s, rules)) if control.surge else None,
        learn=lambda now_s: learner.learn(seen.services, now_s),
        log=kept,
    )


def _foresee(host: ForecasterHost, situation: Situation) -> Forecasts:
    """Forecasts for the services of `situation`, after the host has seen their recent demand."""
    for view in situation.services:
        if view.observation.recent is not None:
            host.observe(view.service.id, view.observation.recent)
    return host.foresee([view.service for view in situation.services], situation.at_s)


def _planner_host(settings: Settings, executor: Executor, *, live: bool) -> PlannerHost:
    options = dict(settings.planner.options)
    seconds, gap = float(options.pop("time_limit_s", 5.0)), float(options.pop("gap", 0.01))
    limits = PlanLimits(seconds, gap) if live else PlanLimits(None, gap, NODE_LIMIT)
    return PlannerHost(load_plugin(PLANNERS, settings.planner.name, options), limits, executor)
