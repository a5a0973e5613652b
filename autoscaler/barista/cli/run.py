"""`barista run SERVICES.yaml`: your models on this machine, scaled by Barista until you stop it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from barista.cli.prepare import Prepared


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("run")(command)


def command(
    services: Annotated[Path, typer.Argument(metavar="SERVICES.yaml", help="Pools, flavors and services.")],
    output: Annotated[Path, typer.Option(help="Directory to write to.")] = Path("barista-run"),
) -> None:
    """Serve the models of SERVICES.yaml on this machine and scale them until interrupted."""
    import asyncio

    from rich.console import Console

    from barista.cli.failures import said_in_one_line
    from barista.cli.prepare import prepare
    from barista.settings import load_settings

    console = Console()
    settings = load_settings(services)
    with said_in_one_line("run"):
        with console.status("preparing") as status:
            prepared = prepare(settings, status.update)
        asyncio.run(_serve(prepared, output, console))


async def _serve(prepared: "Prepared", output: Path, console: "Console") -> None:
    from barista.cli.local import local_run

    async with local_run(prepared, output, console.print) as run:
        run.start_controller(await run.start_prometheus())
        for service in prepared.services:
            console.print(f"POST {run.supervisor.router_url}/{service.id}  ({service.model}, {service.slo})")
        console.print(f"why it does what it does: barista explain NAME --run {output}; Ctrl-C ends the run")
        await _interrupted()


async def _interrupted() -> None:
    import asyncio
    import signal

    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()
