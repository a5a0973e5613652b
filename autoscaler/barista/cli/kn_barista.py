"""`kn barista`: what an ML engineer wants to know of a service, and its brake; a plug-in of `kn`.

It reads and writes ScalingPlans, with the user's own rights: no controller has to be reached.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.platforms.knative.client import ApiServer
    from barista.platforms.knative.scaling_plan import ScalingPlanResource

Name = Annotated[str, typer.Argument(help="Name of the Knative Service.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Default: the user's kubeconfig.")]

app = typer.Typer(
    name="kn-barista", help="Services that Barista scales.", no_args_is_help=True, add_completion=False
)


@app.command("list")
def list_services(
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Default: all.")] = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the services that Barista knows, with their replicas and whether all is well."""
    from rich.console import Console
    from rich.table import Table

    from barista.platforms.knative.client import PLANS
    from barista.platforms.knative.scaling_plan import ScalingPlanResource

    found = _server(kubeconfig).get(PLANS.path(namespace or None))["items"]
    table = Table("namespace", "service", "authority", "replicas", "flavor", "ready", "why not", box=None)
    for plan in sorted((ScalingPlanResource.read(obj) for obj in found), key=lambda plan: plan.id):
        ready, status = _condition(plan, "Ready"), plan.status
        table.add_row(
            *plan.id.split("/"),
            "paused" if plan.spec.paused else str(status.authority or "advise"),
            str(status.replicas) if status.replicas is not None else "-",
            status.flavor or "-",
            ready[0],
            ready[1],
        )
    Console().print(table)


@app.command()
def plan(name: Name, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Show what demand is foreseen for a service, and what it is to hold."""
    found = _plan(_server(kubeconfig), namespace, name)
    choice, forecast = found.status.choice, found.status.forecast
    if choice is None:
        typer.echo(f"{namespace}/{name}: no plan yet: {_condition(found, 'Ready')[1] or 'nothing was seen'}")
        raise typer.Exit(1)
    typer.echo(f"{namespace}/{name}: {_counts(choice.final)} at {choice.at:%Y-%m-%d %H:%M:%S} UTC")
    if forecast is not None:
        typer.echo(
            f"demand by {forecast.made_by}, requests/s, mean and p{forecast.level * 100:g},"
            f" by {forecast.step_seconds:g} s"
        )
        for mean, bound in zip(forecast.mean, forecast.quantile, strict=True):
            typer.echo(f"  {mean:10.2f} {bound:10.2f}")


@app.command()
def explain(name: Name, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Explain why a service holds what it holds: plan, guard rails, conditions."""
    found = _plan(_server(kubeconfig), namespace, name)
    choice = found.status.choice
    if choice is not None:
        typer.echo(
            f"{choice.planner} planned {_counts(choice.raw)}; bounded {_counts(choice.bounded)};"
            f" applied {_counts(choice.final)}"
        )
        for reason in choice.reasons:
            typer.echo(f"  {reason.rail}: {'binds: ' if reason.binds else ''}{reason.text}")
    for condition in found.status.conditions:
        said = f" {condition.reason}: {condition.message}" if condition.message else f" {condition.reason}"
        typer.echo(f"{condition.type}: {condition.status}{said}")


@app.command()
def pause(name: Name, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Leave a service as it is, from now on."""
    _set_paused(_server(kubeconfig), namespace, name, paused=True)
    typer.echo(f"{namespace}/{name}: held as it is; kn barista resume {name} lets it go")


@app.command()
def resume(name: Name, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Scale a paused service again."""
    _set_paused(_server(kubeconfig), namespace, name, paused=False)
    typer.echo(f"{namespace}/{name}: scaled again from the next cycle on")


def _set_paused(server: "ApiServer", namespace: str, name: str, *, paused: bool) -> None:
    from barista.platforms.knative.client import PLANS

    _plan(server, namespace, name)
    server.patch(PLANS.path(namespace, name), {"spec": {"paused": True if paused else None}})


def _plan(server: "ApiServer", namespace: str, name: str) -> "ScalingPlanResource":
    from barista.platforms.knative.client import PLANS, Refused
    from barista.platforms.knative.scaling_plan import ScalingPlanResource

    try:
        return ScalingPlanResource.read(server.get(PLANS.path(namespace, name)))
    except Refused as error:
        if error.status != 404:
            raise
        typer.echo(
            f"{namespace}/{name}: Barista has no plan for it; it opts in by the annotation"
            " knative-barista.dev/latency-slo",
            err=True,
        )
        raise typer.Exit(1) from error


def _server(kubeconfig: Path | None) -> "ApiServer":
    from barista.cli.cluster import connected

    return connected(kubeconfig, "kn barista")


def _condition(plan: "ScalingPlanResource", kind: str) -> tuple[str, str]:
    found = next((c for c in plan.status.conditions if c.type == kind), None)
    return ("Unknown", "") if found is None else (str(found.status), found.message or "")


def _counts(counts: dict[str, int]) -> str:
    return " + ".join(f"{n} x {flavor}" for flavor, n in sorted(counts.items())) or "none"


def run_app() -> None:
    """Run the command line; what the cluster refuses ends in one clear line."""
    import sys

    from barista.platforms.knative.client import Refused
    from barista.platforms.knative.schema import ResourceError
    from barista.ports.platform import PlatformUnavailable

    try:
        app()
    except (Refused, PlatformUnavailable, ResourceError) as error:
        typer.echo(f"kn barista: {error}", err=True)
        sys.exit(1)
