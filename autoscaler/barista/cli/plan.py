"""`barista plan`: solves a planning instance from a file, prices the plan, shows it, and writes it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.values.problem import Plan, Problem

FEW_SERVICES = 50
GAP_OF_FEW, GAP_OF_MANY = 1e-3, 1e-2
"""Relative gaps to stop at unless told otherwise, up to so many services and above."""


def register(app: typer.Typer) -> None:
    """Add the command `plan` to `app`."""
    app.command("plan")(plan)


def plan(
    instance: Annotated[Path, typer.Argument(metavar="INSTANCE.json[.gz]", help="The problem to solve.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the plan goes; default: it is only priced.")
    ] = None,
    planner: Annotated[str, typer.Option(help="An installed planner: auto, mip, greedy, …")] = "auto",
    time_limit: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds it may take.")] = 60.0,
    gap: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="G",
            help=f"Relative gap to stop at.  [default: {GAP_OF_FEW:g} up to {FEW_SERVICES} services,"
            f" {GAP_OF_MANY:g} above]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    services: Annotated[int, typer.Option(min=0, metavar="N", help="Services to show, dearest first.")] = 6,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw these as SVG.")] = None,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw these as PNG.")] = None,
) -> None:
    """Find the cheapest plan for a planning instance."""
    from barista.plan.accept import PlannerRefusal, accepted
    from barista.plan.blame import blame
    from barista.plan.instance import InstanceError, read_instance, write_plan
    from barista.plugins import PLANNERS, PluginError, load_plugin
    from barista.values.problem import PlanLimits

    try:
        problem = read_instance(instance)
        chosen = load_plugin(PLANNERS, planner)
    except (InstanceError, PluginError) as error:
        typer.echo(f"barista: {error}", err=True)
        raise typer.Exit(2) from error
    if gap is None:
        gap = GAP_OF_FEW if len(problem.services) <= FEW_SERVICES else GAP_OF_MANY
    limits = PlanLimits(time_limit, gap)
    answer = chosen.plan(problem, limits)
    try:
        found = accepted(problem, answer, limits)
    except PlannerRefusal as error:
        _print(problem, answer, services, as_json=as_json)
        typer.echo(f"barista: no plan: {blame(problem) or f'planner {planner!r}: {error}'}", err=True)
        raise typer.Exit(1) from error
    try:
        if output is not None:
            write_plan(output, found)
        _draw(problem, found, services, {"svg": svg, "png": png})
    except OSError as error:
        typer.echo(f"barista: {error.filename}: cannot be written: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error
    _print(problem, found, services, as_json=as_json)


def _draw(problem: "Problem", found: "Plan", services: int, paths: dict[str, Path | None]) -> None:
    for kind, path in paths.items():
        if path is not None:
            from barista.report.plan_course import courses
            from barista.report.plan_picture import draw_plan

            draw_plan(path, kind, problem, found, courses(problem, found)[: max(1, services)])


def _print(problem: "Problem", found: "Plan", services: int, *, as_json: bool) -> None:
    """Print `found`; only what can be carried out is priced and drawn."""
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
    from barista.plan.price import price
    from barista.report.plan_course import courses
    from barista.report.plan_text import print_plan

    priced = price(problem, found) if found.is_usable else None
    if priced is None or not priced.feasible:
        print_plan(found, None, (), services)
    else:
        print_plan(found, priced, courses(problem, found), services)
