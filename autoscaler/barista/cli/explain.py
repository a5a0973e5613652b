"""`barista explain SERVICE`: why a service holds what it holds."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barista.values.replica import Counts
from barista.values.service import ServiceId

if TYPE_CHECKING:
    from barista.control.explain import Explanation


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("explain")(command)


def command(
    service: Annotated[str, typer.Argument(help="NAME or NAMESPACE/NAME of the service")],
    run: Annotated[Path, typer.Option(help="directory of a run (its controller.json and log)")] = Path(
        "demo-output/barista"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain the latest decision about SERVICE: demand, forecast, candidates, rails."""
    from barista.cli.compose import OURS, PROFILES, SPEC, ControllerSpec, rules_for, watched
    from barista.control.explain import NothingToExplain, explain, latest_pass
    from barista.profile.store import read_profiles

    name = service if "/" in service else f"default/{service}"
    try:
        if not (run / SPEC).exists():
            raise NothingToExplain(f"{run}: not the directory of a run (no {SPEC}); give it by --run")
        spec = ControllerSpec.read(run / SPEC)
        if spec.policy != OURS:
            raise NothingToExplain(f"{run}: ran under policy {spec.policy}: its reasons are in its decisions")
        settings = spec.parsed()
        rules = rules_for(settings, watched(settings, read_profiles(run / PROFILES)))
        explanation = explain(latest_pass(run), ServiceId(name), rules)
    except NothingToExplain as error:
        typer.echo(f"barista explain: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(asdict(explanation), default=str))
    else:
        show(explanation)


def show(explanation: "Explanation") -> None:
    """Print an explanation for a person."""
    from rich.console import Console
    from rich.table import Table

    view, decision, console = explanation.view, explanation.decision, Console()
    seen = view.observation
    console.print(f"[bold]{decision.service}[/]  SLO {view.service.slo}, authority {decision.authority}")
    demand = seen.demand_rps
    value = "unknown" if demand.value is None else f"{demand.value:.2f} requests/s"
    console.print(f"demand     {value} ({demand.freshness})")
    if explanation.forecast is None:
        console.print("forecast   none")
    else:
        forecast, bought = explanation.forecast, explanation.demand_bought_rps or 0.0
        console.print(
            f"forecast   mean up to {max(forecast.mean):.2f}, p{view.service.demand_quantile * 100:g} up to"
            f" {bought:.2f} requests/s over {forecast.steps} steps of {forecast.step_s:g} s,"
            f" by {forecast.made_by}"
        )
    table = Table("flavor", "requests/s a replica", "replicas alone", "cost per hour", box=None)
    for candidate in explanation.candidates:
        table.add_row(
            candidate.flavor,
            f"{candidate.rps_per_replica:.2f}",
            "-" if candidate.replicas is None else str(candidate.replicas),
            "-" if candidate.cost_per_hour is None else f"{candidate.cost_per_hour:.4f}",
        )
    console.print(table)
    console.print(
        f"held {_counts(decision.current)}  raw {_counts(decision.raw)} -> bounded"
        f" {_counts(decision.bounded)} -> final {_counts(decision.final)}"
    )
    for reason in decision.reasons:
        mark = "[bold]binds[/] " if reason.binds else ""
        console.print(f"  {reason.rail}: {mark}{reason.text}")
    if not explanation.repeats:
        console.print("[yellow]deciding again gave another result than the stored one[/]")


def _counts(counts: Counts) -> str:
    return " + ".join(f"{n} x {flavor}" for flavor, n in sorted(counts.items())) or "none"
