"""Composition: a controller put together from its specification, on given adapters.

This is the one place where stages, plug-ins, platform and metrics meet.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from barista.capacity.make import capacity_model
from barista.cli.adapters import Adapters
from barista.cli.foresight import Foresight, foresight
from barista.control.controller import Controller, Recorder, Rhythm
from barista.control.cycle import Stages, cycle
from barista.control.decide import decide
from barista.control.log import DecisionLog
from barista.control.observe import Watched, observe
from barista.control.rules import Rules
from barista.control.surge import surge
from barista.forecast.quality import Watch
from barista.plan.host import PlannerHost
from barista.plan.one_flavor import one_flavor_each
from barista.plan.pose import Horizon, pose
from barista.plugins import PLANNERS, load_plugin
from barista.policies import make_policy, rival_turn
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
STATES = "fitted"
"""Where in that directory it keeps fitted forecasters, if the settings name no other place."""
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
    given: Foresight | None = None,
    live: bool = True,
) -> Controller:
    """The controller of `spec` on `adapters`, with the profiles `measured`, logging below `log`.

    `watch` judges its forecasts; what it finds is logged too. `given` foresight stands for its own.
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
            given=given,
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
    given: Foresight | None = None,
    live: bool = True,
) -> Controller:
    """Barista's own controller under `rules`; each cycle asks `seen` for the services there are then.

    `watch` is shown what is forecast and what comes. `given` foresight stands for that of the settings.
    """
    control = settings.control

    def look(memory: Memory, now_s: float) -> Situation:
        return observe(
            seen(), adapters.platform, adapters.metrics, memory, now_s, control.window_s, rules.horizon.step_s
        )

    ahead = given or foresight(settings, rules, seen, adapters, calendar=calendar, seed=seed, watch=watch)
    planner = _planner_host(settings, adapters.plans, live=live)
    stages = Stages(
        observe=look,
        foresee=ahead.foresee,
        pose=lambda situation, forecasts, now_s: pose(
            situation, forecasts, now_s, rules.horizon, rules.capacity, control.switching_steps
        ),
        solve=one_flavor_each(planner.solve) if adapters.one_flavor else planner.solve,
        decide=lambda situation, forecasts, plan, now_s: decide(situation, forecasts, plan, now_s, rules),
    )
    return Controller(
        turn=lambda memory, now_s: cycle(stages, memory, now_s),
        platform=adapters.platform,
        rhythm=Rhythm(control.cycle_s, control.surge_s if control.surge else None),
        surge=(lambda memory, now_s: surge(look(memory, now_s), now_s, rules)) if control.surge else None,
        learn=ahead.learn,
        log=log,
    )


def _planner_host(settings: Settings, executor: Executor, *, live: bool) -> PlannerHost:
    options = dict(settings.planner.options)
    seconds, gap = float(options.pop("time_limit_s", 5.0)), float(options.pop("gap", 0.01))
    limits = PlanLimits(seconds, gap) if live else PlanLimits(None, gap, NODE_LIMIT)
    host = PlannerHost(load_plugin(PLANNERS, settings.planner.name, options), limits, executor)
    if live:
        host.prepare()
    return host
