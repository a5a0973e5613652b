"""`barista plan`: solves a planning instance from a file, prices the plan, and writes it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.plan.price import PlanPrice
    from barista.values.problem import Plan


def register(app: typer.Typer) -> None:
    """Add the command `plan` to `app`."""
    app.command("plan")(plan)


def plan(
    instance: Annotated[Path, typer.Argument(metavar="INSTANCE.json[.gz]", help="The problem to solve.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the plan goes; default: it is only priced.")
    ] = None,
    planner: Annotated[str, typer.Option(help="An installed planner: auto, mip, greedy, …")] = "auto",
    time_limit: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds it may take.")] = 15.0,
    gap: Annotated[float, typer.Option(min=0.0, metavar="G", help="Relative gap to stop at.")] = 1e-3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Find the cheapest plan for a planning instance."""
    from barista.plan.instance import InstanceError, read_instance, write_plan
    from barista.plan.price import price
    from barista.plugins import PLANNERS, PluginError, load_plugin
    from barista.values.problem import PlanLimits

    try:
        problem = read_instance(instance)
        chosen = load_plugin(PLANNERS, planner)
    except (InstanceError, PluginError) as error:
        typer.echo(f"barista: {error}", err=True)
        raise typer.Exit(2) from error
    found = chosen.plan(problem, PlanLimits(time_limit, gap))
    priced = price(problem, found) if found.is_usable else None
    if output is not None and priced is not None and priced.feasible:
        try:
            write_plan(output, found)
        except OSError as error:
            typer.echo(f"barista: {output}: cannot be written: {error.strerror or error}", err=True)
            raise typer.Exit(2) from error
    _print(found, priced, as_json)
    if priced is None:
        typer.echo(f"barista: no plan: {found.note or found.status}", err=True)
        raise typer.Exit(1)
    if not priced.feasible:
        typer.echo(f"barista: planner {planner!r}: plan refused: {priced.violations[0]}", err=True)
        raise typer.Exit(1)


def _print(found: "Plan", priced: "PlanPrice | None", as_json: bool) -> None:
    if as_json:
        document = {
            "cost": found.cost,
            "bound": found.bound,
            "gap": found.gap,
            "status": str(found.status),
            "seconds": dict(found.seconds),
        }
        typer.echo(json.dumps(document))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_row("planner", found.planner)
    table.add_row("status", f"{found.status}{': ' if found.note else ''}{found.note}")
    if priced is not None:
        parts = f"provision {priced.provision_cost:.4f}, shortfall {priced.shortfall_cost:.4f}"
        table.add_row("cost", f"{priced.cost:.4f} ({parts}: {priced.unserved_requests:.0f} requests)")
    table.add_row("bound", "none" if found.bound is None else f"{found.bound:.4f}")
    table.add_row("gap", "not proven" if found.gap is None else f"{found.gap:.3%}")
    table.add_row("time", ", ".join(f"{phase} {spent:.2f} s" for phase, spent in found.seconds.items()))
    Console(soft_wrap=True).print(table)
