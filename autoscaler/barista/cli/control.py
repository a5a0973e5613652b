"""`barista control DIR`: one controller process on the local platform (started by its supervisor)."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.forecast.quality import Watch


def register(app: typer.Typer) -> None:
    """Add the (hidden) command to `app`."""
    app.command("control", hidden=True)(command)


def command(directory: Annotated[Path, typer.Argument(help="directory with controller.json")]) -> None:
    """Run the controller specified in DIRECTORY until it is ended."""
    from barista.cli.adapters import Adapters
    from barista.cli.compose import PROFILES, SPEC, STATES, ControllerSpec, compose
    from barista.forecast.quality import Watch
    from barista.forecast.store import StateStore
    from barista.platforms.local.metrics import PrometheusMetrics
    from barista.platforms.local.platform import LocalPlatform
    from barista.profile.store import read_profiles
    from barista.workers import KillingPool, Lanes

    spec = ControllerSpec.read(directory / SPEC)
    control = spec.parsed().control
    measured = read_profiles(directory / PROFILES)
    watch = Watch()
    if spec.metrics_port is not None:
        _serve_metrics(watch, spec.metrics_port)
    with (
        KillingPool(control.fit_workers) as fits,
        Lanes.of_processes(control.forecast_workers) as forecasts,
        KillingPool() as plans,
    ):
        adapters = Adapters(
            LocalPlatform(spec.agent_url),
            PrometheusMetrics(spec.prometheus_url, scrape_interval_s=spec.scrape_interval_s),
            fits,
            forecasts,
            plans,
            StateStore(control.state_dir or directory / STATES),
        )
        controller = compose(spec, measured, adapters, directory, watch=watch)
        while True:
            due_s = controller.tick(time.time())
            time.sleep(max(0.0, due_s - time.time()))


def _serve_metrics(watch: "Watch", port: int) -> None:
    """Tell Prometheus, on loopback, how good the forecasts turn out to be."""
    from prometheus_client import CollectorRegistry, start_http_server

    from barista.control.quality_metrics import ForecastQuality

    registry = CollectorRegistry()
    registry.register(ForecastQuality(watch))
    start_http_server(port, "127.0.0.1", registry)
