"""`barista simulate`: a scenario in virtual time: what if flavors, prices or pools were others."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from barista.platforms.simulated.run import SimulatedRun

SECTION = "trace"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("simulate")(command)


def command(
    scenario: Annotated[Path, typer.Argument(help="YAML: a configuration, and a section `trace`")],
    policies: Annotated[str, typer.Option(help="Who decides; several with commas.")] = "barista,kpa",
    seed: Annotated[int, typer.Option(help="Seed of all chances.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Play SCENARIO in virtual time and tell what each policy would cost, and miss."""
    from rich.console import Console

    from barista.cli.failures import said_in_one_line
    from barista.cli.forecast import WrongInput
    from barista.cli.scenario import play_scenario, read_scenario
    from barista.load.history import NoHistory
    from barista.policies import PolicyError

    try:
        with said_in_one_line("simulate"):
            given = read_scenario(scenario)
            names = [name.strip() for name in policies.split(",") if name.strip()]
            with Console(stderr=True).status("playing"):
                runs = {name: play_scenario(given, name, seed) for name in names}
    except (WrongInput, NoHistory, PolicyError) as error:
        typer.echo(f"barista simulate: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps({"policies": {name: _document(run) for name, run in runs.items()}}, indent=1))
    else:
        _print(runs)


def _document(run: "SimulatedRun") -> dict[str, Any]:
    services = {
        name: {
            "requests": part.requests,
            "slo_violation_ratio": part.slo_violation_ratio,
            "p95_ms": None if part.p95_s is None else 1000 * part.p95_s,
            "cost": part.cost,
            "cold_starts": part.cold_starts,
        }
        for name, part in run.services.items()
    }
    return {
        "slo_violation_ratio": run.slo_violation_ratio,
        "cost": run.cost,
        "cold_starts": run.cold_starts,
        "services": services,
    }


def _print(runs: "dict[str, SimulatedRun]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("policy", "service", "requests", "violations", "p95 ms", "cost", "cold starts", box=None)
    for policy, run in runs.items():
        for service, part in run.services.items():
            table.add_row(
                policy,
                service,
                f"{part.requests:,}",
                f"{part.slo_violation_ratio or 0:.3%}",
                "–" if part.p95_s is None else f"{1000 * part.p95_s:,.0f}",
                f"{part.cost:,.3f}",
                str(part.cold_starts),
            )
    Console().print(table)
