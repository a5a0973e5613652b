"""`barista controller`: the controller on a Knative cluster; one leads, others stand ready."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from threading import Event

    from fastapi import FastAPI

    from barista.cli.cluster_control import ClusterControl

NAME, NAMESPACE = "barista-controller", "barista-system"
LONGEST_REST_S = 5.0
"""Between turns at most: a clock that was set back must not keep the controller waiting."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("controller")(command)


def command(
    config: Annotated[Path, typer.Option(help="barista.yaml: pools, flavors, defaults, Prometheus.")],
    prometheus: Annotated[str, typer.Option(help="URL of Prometheus; default: the configuration's.")] = "",
    namespace: Annotated[
        str, typer.Option(envvar="POD_NAMESPACE", help="Where the Lease of the leader is.")
    ] = NAMESPACE,
    lease: Annotated[str, typer.Option(help="Name of that Lease.")] = NAME,
    lease_s: Annotated[
        float, typer.Option(min=1.0, help="Seconds after which another may lead, when the leader is silent.")
    ] = 15.0,
    identity: Annotated[
        str, typer.Option(envvar="POD_NAME", help="Who this controller is; default: its host and process.")
    ] = "",
    bind: Annotated[str, typer.Option(help="Address of the API.")] = "0.0.0.0",  # noqa: S104 - in its pod
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8080,
    kubeconfig: Annotated[Path | None, typer.Option(help="Default: the pod's own, else the user's.")] = None,
) -> None:
    """Scale the services of a Knative cluster that asked for it, until told to stop."""
    import logging
    import os
    import socket
    from threading import Event

    from barista.cli.adapters import Adapters
    from barista.cli.cluster import connected, platform_on
    from barista.cli.cluster_control import ClusterControl, Parts
    from barista.cli.insight import ControllerInsight
    from barista.cli.journal import Journal
    from barista.cli.reloading import ConfigurationFile
    from barista.cli.telling import Teller
    from barista.control.quality_metrics import ForecastQuality
    from barista.forecast.quality import Watch
    from barista.forecast.store import StateStore
    from barista.platforms.knative.events import Events
    from barista.platforms.knative.leader import Leader
    from barista.platforms.knative.measured import metrics_of
    from barista.platforms.knative.plans import PlanWriter
    from barista.platforms.knative.snapshot import ClusterWatch
    from barista.settings import Settings
    from barista.webhook.controller_api import controller_app
    from barista.workers import KillingPool, Lanes

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    configuration, server = ConfigurationFile(config), connected(kubeconfig, "barista controller")
    who = identity or f"{socket.gethostname()}-{os.getpid()}"
    leader, watch = Leader(server, namespace, lease, who, lease_s), ClusterWatch(server)
    journal, events, quality = Journal(), Events(server, who), Watch()
    journal.registry.register(ForecastQuality(quality))
    platform = platform_on(server, watch, events, lambda: leader.leads)
    limits, stop = configuration.settings.control, Event()
    with (
        KillingPool(limits.fit_workers) as fits,
        Lanes.of_processes(limits.forecast_workers) as forecasts,
        KillingPool() as plans,
    ):
        journal.watch_pools(fits=fits, forecasts=forecasts, plans=plans)

        def adapters(settings: Settings) -> Adapters:
            asked = settings.prometheus
            metrics = metrics_of(
                watch.look, prometheus or asked.url, asked.scrape_interval_s, settings.control.stale_after_s
            )
            states = settings.control.state_dir
            store = StateStore(states) if states else None
            return Adapters(platform, metrics, fits, forecasts, plans, store, one_flavor=True)

        parts = Parts(
            configuration,
            watch.look,
            lambda: leader.leads,
            platform,
            adapters,
            journal,
            Teller(PlanWriter(server, watch.plans), events),
            quality,
        )
        control = ClusterControl(parts)
        insight = ControllerInsight(control, platform, journal, configuration.settings)
        with _served(controller_app(insight), bind, port), _told_to_stop(stop):
            watch.start()
            leader.start()
            try:
                _take_turns(control, stop)
            finally:
                leader.stop()
                watch.stop()


def _take_turns(control: "ClusterControl", stop: "Event") -> None:
    while not stop.is_set():
        due_s = control.turn(time.time())
        stop.wait(min(max(0.0, due_s - time.time()), LONGEST_REST_S))


@contextlib.contextmanager
def _told_to_stop(stop: "Event") -> Iterator[None]:
    """Within, SIGTERM and SIGINT set `stop`, so that the turn under way ends, and the Lease is given up."""
    import signal

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _served(app: "FastAPI", host: str, port: int) -> Iterator[None]:
    """Serve `app` in a thread of its own; it ends with the context, and the command where that cannot be."""
    import socket
    from threading import Thread

    import uvicorn

    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        typer.echo(f"barista controller: {host}:{port}: {error.strerror}; give another --port", err=True)
        raise typer.Exit(2) from error
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
    thread = Thread(target=server.run, args=([listening],), name="api", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)
