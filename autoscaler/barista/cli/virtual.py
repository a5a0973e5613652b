"""A controller on a simulated cluster, put together: the cycle of production in virtual time."""

from collections.abc import Callable, Mapping, Sequence

from barista.cli.adapters import Adapters
from barista.cli.calm import Calm
from barista.cli.compose import ControllerSpec, compose, rules_for, watched
from barista.cli.foresight import Foresight
from barista.control.controller import Controller, Rhythm
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.drive import drive
from barista.platforms.simulated.run import SimulatedRun
from barista.platforms.simulated.service import SimulatedService
from barista.policies import PolicyError, published, rival_turn
from barista.policies.options import PublishedOptions, parsed
from barista.policies.published import Published
from barista.settings import Settings
from barista.values.profile import ExecutionProfile
from barista.values.replica import Counts
from barista.values.series import Demand, FloatArray
from barista.values.service import ServiceId
from barista.workers import Inline


def play_virtually(
    spec: ControllerSpec,
    measured: Sequence[ExecutionProfile],
    arrivals_s: Mapping[ServiceId, FloatArray],
    past: Mapping[ServiceId, Demand],
    initial: Mapping[ServiceId, Counts],
    span_s: tuple[float, float],
    progress: Callable[[float], None] | None = None,
    given: Foresight | None = None,
    queue_limit: int | None = None,
) -> SimulatedRun:
    """What comes of the controller of `spec` between the moments `span_s`, on a cluster that holds `initial`.

    The same arguments give the same run, to the last digit: plug-ins work in this process, and the
    planner is bounded by nodes instead of seconds. `given` foresight stands for that of `spec`; at most
    `queue_limit` requests of a service wait.
    """
    settings = spec.parsed()
    start_s, end_s = span_s
    services = simulated_services(settings, measured, arrivals_s, past, initial)
    cluster = SimulatedCluster(
        settings.catalogue(), services, start_s, seed=spec.seed, queue_limit=queue_limit
    )
    here = Inline()
    adapters = Adapters(cluster, cluster, here, here, here)
    controller = _controller(spec, measured, adapters, given)
    if controller.surge is not None:
        seen = watched(settings, measured)
        calm = Calm(cluster, seen, rules_for(settings, seen), settings.control.window_s)
        controller.surge = calm.before(controller.surge)
    return drive(controller.tick, cluster, start_s, end_s, progress)


def _controller(
    spec: ControllerSpec, measured: Sequence[ExecutionProfile], adapters: Adapters, given: Foresight | None
) -> Controller:
    """As composed anywhere; but the published rules, which no cluster is left to, live in replays only."""
    if spec.policy != published.NAME:
        return compose(spec, measured, adapters, None, given=given, live=False)
    settings = spec.parsed()
    seen, cycle_s = watched(settings, measured), settings.control.cycle_s
    if given is None:
        raise PolicyError(f"policy {published.NAME!r}: nothing is foreseen for it here: use barista backtest")
    options = parsed(PublishedOptions, published.NAME, spec.policy_options, seen.services)
    policy, step_s = Published(options, given.foresee, cycle_s), rules_for(settings, seen).horizon.step_s
    turn = rival_turn(policy, seen, adapters.platform, adapters.metrics, settings.control.window_s, step_s)
    return Controller(turn=turn, platform=adapters.platform, rhythm=Rhythm(cycle_s))


def simulated_services(
    settings: Settings,
    measured: Sequence[ExecutionProfile],
    arrivals_s: Mapping[ServiceId, FloatArray],
    past: Mapping[ServiceId, Demand],
    initial: Mapping[ServiceId, Counts],
) -> list[SimulatedService]:
    """The services of `settings` as a simulated cluster is given them."""
    return [
        SimulatedService(
            service,
            {p.flavor: p for p in measured if p.model == service.model},
            arrivals_s[service.id],
            past.get(service.id),
            initial.get(service.id, {}),
        )
        for service in (settings.resolve(chosen) for chosen in settings.services)
    ]
