"""A controller on a simulated cluster, put together: the cycle of production in virtual time."""

from collections.abc import Callable, Mapping, Sequence

from barista.cli.compose import Adapters, ControllerSpec, compose
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.drive import drive
from barista.platforms.simulated.run import SimulatedRun
from barista.platforms.simulated.service import SimulatedService
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
) -> SimulatedRun:
    """What comes of the controller of `spec` between the moments `span_s`, on a cluster that holds `initial`.

    The same arguments give the same run, to the last digit: plug-ins work in this process, and the
    planner is bounded by nodes instead of seconds.
    """
    settings = spec.parsed()
    start_s, end_s = span_s
    services = [
        SimulatedService(
            service,
            {p.flavor: p for p in measured if p.model == service.model},
            arrivals_s[service.id],
            past.get(service.id),
            initial.get(service.id, {}),
        )
        for service in (settings.resolve(chosen) for chosen in settings.services)
    ]
    cluster = SimulatedCluster(settings.catalogue(), services, start_s, seed=spec.seed)
    here = Inline()
    controller = compose(spec, measured, Adapters(cluster, cluster, here, here, here), None, live=False)
    return drive(controller.tick, cluster, start_s, end_s, progress)
