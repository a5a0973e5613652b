"""Composition: a controller put together from its specification, on given adapters.

This is the one place where stages, plug-ins, platform and metrics meet.
"""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from barista.capacity.make import capacity_model
from barista.control.controller import Controller, Recorder, Rhythm
from barista.control.cycle import Forecasts, Stages, cycle
from barista.control.decide import decide
from barista.control.learn import Learner
from barista.control.log import DecisionLog
from barista.control.observe import Watched, observe
from barista.control.rules import Rules
from barista.control.surge import surge
from barista.forecast.history import on_grid
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.forecast.quality import Watch
from barista.forecast.store import StateStore
from barista.plan.host import PlannerHost
from barista.plan.pose import Horizon, pose
from barista.plugins import PLANNERS, load_plugin
from barista.policies import make_policy, rival_turn
from barista.ports.forecaster import ForecastContext
from barista.ports.platform import MetricSource, Platform
from barista.rails.rail import RailSettings
from barista.settings import Settings, parse_settings
from barista.values.decision import Memory
from barista.values.forecast import Forecast
from barista.values.problem import PlanLimits
from barista.values.profile import ExecutionProfile, Profiles
from barista.values.series import Calendar
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

OURS = "barista"
SPEC, PROFILES = "controller.json", "profiles.yaml"
"""What a controller process reads in its run's directory."""
STATES = "fitted"
"""Where in that directory it keeps fitted forecasters, if the settings name no other place."""
SHOWN_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles that every forecast states, besides those that services buy."""
FORECAST_LIMIT_S = 2.0
"""For the forecasts of one cycle together, besides what one webhook may take."""
FITS_AHEAD = 4
"""Fits ordered for each worker, so that it has work until the next cycle."""
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
    metrics_port: int | None = None

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
    """Where the controller runs: what it acts on, what it sees with, and where plug-ins work.

    `states` keeps fitted forecasters over a restart, where there is one.
    """

    platform: Platform
    metrics: MetricSource
    fits: Executor
    forecasts: Executor
    plans: Executor
    states: StateStore | None = None


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
    return Rules(
        horizon,
        capacity_model(control.capacity),
        rails,
        cycle_s=control.cycle_s,
        surge_hold_s=2 * horizon.step_s,
    )


def compose(
    spec: ControllerSpec,
    measured: Iterable[ExecutionProfile],
    adapters: Adapters,
    log: Path | None,
    *,
    watch: Watch | None = None,
    live: bool = True,
) -> Controller:
    """The controller of `spec` on `adapters`, with the profiles `measured`, logging below `log`.

    `watch` judges its forecasts; what it finds is logged too.
    With `live` off the planner's limits are deterministic (nodes, not seconds), for virtual time.
    """
    settings = spec.parsed()
    seen = watched(settings, measured)
    rules = rules_for(settings, seen)
    kept = DecisionLog(log, rules, watch.qualities if watch else tuple) if log else None
    if spec.policy == OURS:
        return assemble(
            settings,
            rules,
            lambda: seen,
            adapters,
            kept,
            calendar=spec.calendar,
            seed=spec.seed,
            watch=watch,
            live=live,
        )
    control = settings.control
    rival = make_policy(spec.policy, spec.policy_options, seen, rules)
    return Controller(
        turn=rival_turn(
            rival, seen, adapters.platform, adapters.metrics, control.window_s, rules.horizon.step_s
        ),
        platform=adapters.platform,
        rhythm=Rhythm(rival.tick_s or control.cycle_s),
        log=kept,
    )


def assemble(
    settings: Settings,
    rules: Rules,
    seen: Callable[[], Watched],
    adapters: Adapters,
    log: Recorder | None,
    *,
    calendar: Calendar,
    seed: int = 0,
    watch: Watch | None = None,
    live: bool = True,
) -> Controller:
    """Barista's own controller under `rules`; each cycle asks `seen` for the services there are then.

    `watch` is shown what is forecast and what comes.
    """
    control = settings.control

    def look(memory: Memory, now_s: float) -> Situation:
        return observe(
            seen(), adapters.platform, adapters.metrics, memory, now_s, control.window_s, rules.horizon.step_s
        )

    levels = tuple(sorted({*SHOWN_LEVELS, *(service.highest_level for service in seen().services)}))
    host = ForecasterHost(
        make=MakeForecaster(settings.webhooks()),
        context=ForecastContext(calendar, rules.horizon.steps + 2, levels, seed),
        step_s=rules.horizon.step_s,
        executor=adapters.forecasts,
        learner=adapters.fits,
        forecast_limit_s=FORECAST_LIMIT_S + max((w.timeout_s for w in settings.webhooks()), default=0.0),
        store=adapters.states,
    )
    learner = Learner(
        host,
        adapters.metrics,
        control.learn_s,
        control.history_s,
        rules.horizon.step_s,
        FITS_AHEAD * control.fit_workers,
    )
    planner = _planner_host(settings, adapters.plans, live=live)
    stages = Stages(
        observe=look,
        foresee=lambda situation: _foresee(host, watch, situation),
        pose=lambda situation, forecasts, now_s: pose(
            situation, forecasts, now_s, rules.horizon, rules.capacity, control.switching_steps
        ),
        solve=planner.solve,
        decide=lambda situation, forecasts, plan, now_s: decide(situation, forecasts, plan, now_s, rules),
    )
    return Controller(
        turn=lambda memory, now_s: cycle(stages, memory, now_s),
        platform=adapters.platform,
        rhythm=Rhythm(control.cycle_s, control.surge_s if control.surge else None),
        surge=(lambda memory, now_s: surge(look(memory, now_s), now_s, rules)) if control.surge else None,
        learn=lambda now_s: learner.learn(seen().services, now_s),
        log=log,
    )


def _foresee(host: ForecasterHost, watch: Watch | None, situation: Situation) -> Forecasts:
    """Forecasts for the services of `situation`, after host and watch have seen their recent demand."""
    services = [view.service for view in situation.services]
    host.keep({service.id for service in services})
    for view in situation.services:
        if view.observation.recent is not None:
            host.observe(view.service.id, view.observation.recent)
            if watch is not None:
                watch.seen(view.service.id, on_grid(view.observation.recent, host.step_s))
    forecasts = host.foresee(services, situation.at_s)
    if watch is not None:
        watch.keep({service.id for service in services})
        for view in situation.services:
            made = forecasts.get(view.service.id)
            if made is not None:
                watch.said(view.service.id, made, host.members(view.service.id), _setup_steps(view, made))
    return forecasts


def _setup_steps(view: ServiceView, forecast: Forecast) -> int:
    """In which step ahead a replica ordered now serves, at the latest; 1 is the next."""
    setups_s = [view.profiles[f].planned_setup_s for f in view.service.flavors if f in view.profiles]
    return math.floor(max(setups_s, default=0.0) / forecast.step_s) + 1


def _planner_host(settings: Settings, executor: Executor, *, live: bool) -> PlannerHost:
    options = dict(settings.planner.options)
    seconds, gap = float(options.pop("time_limit_s", 5.0)), float(options.pop("gap", 0.01))
    limits = PlanLimits(seconds, gap) if live else PlanLimits(None, gap, NODE_LIMIT)
    return PlannerHost(load_plugin(PLANNERS, settings.planner.name, options), limits, executor)
