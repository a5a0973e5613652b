"""`barista demo`: a day of flight departures, played in minutes against two real models.

Its clock: the day from 0:00 to 24:00 in New York takes `--minutes` of wall time, so a second is `rate`
trace seconds; what happened on the four weeks before is backfilled into Prometheus on the same clock.
Set-up times are not compressed: replicas start as fast as this machine starts them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.cli.local import Prepared

POLICIES = ("barista", "kpa", "static")
RIVAL = "kpa"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("demo")(command)


def command(
    minutes: Annotated[float, typer.Option(min=1, help="Wall minutes that the day takes.")] = 4.0,
    seed: Annotated[int, typer.Option(help="Seed of the arrivals.")] = 7,
    policy: Annotated[str, typer.Option(help=f"Who decides: {', '.join(POLICIES)}.")] = "barista",
    compare: Annotated[
        bool, typer.Option("--compare", help="Play the same arrivals under the KPA's rules too.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Directory to write to; what it held of a demo goes.")] = Path(
        "demo-output"
    ),
) -> None:
    """Play a day of departures against two real models and write a report of it."""
    import asyncio

    from rich.console import Console

    from barista.cli.trace import Trace, load_scenario
    from barista.cli.local import prepare
    from barista.cli.play import play
    from barista.models import ModelError
    from barista.platforms.local.prometheus import PrometheusError
    from barista.profile.running import MeasureError
    from barista.report.html import write_report
    from barista.report.recording import read_run

    if policy not in POLICIES:
        typer.echo(f"barista demo: --policy {policy!r}: no such policy; known: {', '.join(POLICIES)}", err=True)
        raise typer.Exit(2)
    console = Console()
    try:
        with console.status("preparing") as status:
            prepared = prepare(load_scenario(), status.update)
            trace = Trace.of_departures(prepared.services, minutes, seed)
        runs = {}
        for name in dict.fromkeys((policy, *((RIVAL,) if compare else ()))):
            asyncio.run(play(prepared, trace, name, output / name, console))
            runs[name] = read_run(output / name)
    except (ModelError, MeasureError, PrometheusError) as error:
        typer.echo(f"barista demo: {error}", err=True)
        raise typer.Exit(1) from error
    page = write_report(output, runs)
    _say(page, console)
