"""`barista control DIR`: one controller process on the local platform (started by its supervisor)."""

import time
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the (hidden) command to `app`."""
    app.command("control", hidden=True)(command)


def command(directory: Annotated[Path, typer.Argument(help="directory with controller.json")]) -> None:
    """Run the controller specified in DIRECTORY until it is ended."""
    from barista.cli.compose import PROFILES, SPEC, Adapters, ControllerSpec, compose
    from barista.platforms.local.metrics import PrometheusMetrics
    from barista.platforms.local.platform import LocalPlatform
    from barista.profile.store import read_profiles
    from barista.workers import KillingPool

    spec = ControllerSpec.read(directory / SPEC)
    measured = read_profiles(directory / PROFILES)
    with KillingPool() as fits, KillingPool() as forecasts, KillingPool() as plans:
        adapters = Adapters(
            LocalPlatform(spec.agent_url),
            PrometheusMetrics(spec.prometheus_url, scrape_interval_s=spec.scrape_interval_s),
            fits,
            forecasts,
            plans,
        )
        controller = compose(spec, measured, adapters, directory)
        while True:
            due_s = controller.tick(time.time())
            time.sleep(max(0.0, due_s - time.time()))
