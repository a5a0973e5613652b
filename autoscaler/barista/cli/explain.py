"""`barista explain SERVICE`: why a service holds what it holds."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barista.values.replica import Counts
from barista.values.service import ServiceId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barista.control.explain import Explanation
    from barista.forecast.quality import Quality

SHOWN_LEVEL = 0.95


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
    from barista.control.explain import NothingToExplain, explain, latest_pass, latest_qualities
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
        qualities = latest_qualities(run, ServiceId(name))
    except NothingToExplain as error:
        typer.echo(f"barista explain: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        document = asdict(explanation) | {"quality": [asdict(quality) for quality in qualities]}
        typer.echo(json.dumps(document, default=str))
    else:
        show(explanation)
        show_quality(qualities)


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
            f"forecast   mean up to {max(forecast.mean):.2f},"
            f" p{(explanation.level_bought or 0.0) * 100:.3g} up to {bought:.2f} requests/s"
            f" over {forecast.steps} steps of {forecast.step_s:g} s, by {forecast.made_by}"
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


def show_quality(qualities: "Sequence[Quality]") -> None:
    """Print how good the forecasts of a service lately turned out to be."""
    from rich.console import Console
    from rich.table import Table

    from barista.forecast.quality import NEXT, TOLD

    if not qualities:
        return
    level = min(qualities[0].scores.levels, key=lambda level: abs(level - SHOWN_LEVEL))
    percent = f"p{level * 100:g}"
    table = Table(
        "forecasts", "lead s", "outcomes", f"pinball {percent}", f"at or below {percent}", "bias", box=None
    )
    for quality in sorted(qualities, key=lambda q: (q.lead != NEXT, q.forecaster != TOLD, q.forecaster)):
        scores = quality.scores
        at = scores.levels.index(level)
        table.add_row(
            quality.forecaster,
            f"{quality.lead_s:g} ({quality.lead})",
            str(scores.outcomes),
            f"{scores.pinball_rps[at]:.4g}",
            f"{scores.coverage[at]:.1%}",
            f"{scores.bias_rps:+.4g}",
        )
    Console().print(table)


def _counts(counts: Counts) -> str:
    return " + ".join(f"{n} x {flavor}" for flavor, n in sorted(counts.items())) or "none"
