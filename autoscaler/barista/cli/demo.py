"""`barista demo`: a day of flight departures, played in minutes against two real models.

Its clock: the day from 0:00 to 24:00 in New York takes `--minutes` of wall time, so a second is `rate`
trace seconds; what happened on the four weeks before is backfilled into Prometheus on the same clock.
Set-up times are not compressed: replicas start as fast as this machine starts them.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

POLICIES = ("barista", "kpa", "static")
RIVAL = "kpa"
PEAK_RPS = {"default/digits": 45.0, "default/resnet50": 8.0}
"""Requests/s in the busiest quarter of an hour: what two cores can serve beside everything else."""


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
    output: Annotated[Path, typer.Option(help="Directory to write to.")] = Path("demo-output"),
) -> None:
    """Play a day of departures against two real models and write a report of it."""
    if policy not in POLICIES:
        typer.echo(
            f"barista demo: --policy {policy!r}: no such policy; known: {', '.join(POLICIES)}", err=True
        )
        raise typer.Exit(2)
    policies = (policy, RIVAL) if compare and policy != RIVAL else (policy,)
    _run(minutes, seed, policies, output)


def _run(minutes: float, seed: int, policies: tuple[str, ...], output: Path) -> None:
    import asyncio

    from rich.console import Console

    from barista.cli.failures import said_in_one_line
    from barista.cli.play import play
    from barista.cli.prepare import prepare
    from barista.cli.trace import departures
    from barista.report.headline import headline
    from barista.report.html import write_report
    from barista.report.recording import read_run
    from barista.settings import load_settings
    from barista.values.service import ServiceId

    console = Console()
    with said_in_one_line("demo"):
        scenario = Path(str(files("barista") / "scenarios" / "demo.yaml"))
        with console.status("preparing") as status:
            prepared = prepare(load_settings(scenario), status.update)
            trace = departures({ServiceId(name): rps for name, rps in PEAK_RPS.items()}, minutes, seed)
        runs = {}
        for name in policies:
            asyncio.run(play(prepared, trace, name, output / name, console))
            runs[name] = read_run(output / name)
        page = write_report(output, runs)
    for sentence in headline(runs):
        console.print(sentence)
    console.print(f"report: {page}", soft_wrap=True)
