"""`barista uninstall`: everything that Barista wrote to services is given back as it was found."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.platforms.knative.leader import Leader

NAME, NAMESPACE = "barista-controller", "barista-system"
LEASE_WITHIN_S = 20.0
"""A controller that was killed holds its Lease this long at most."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("uninstall")(command)


def command(
    namespace: Annotated[str, typer.Option(help="Where the controllers and their Lease are.")] = NAMESPACE,
    lease: Annotated[str, typer.Option(help="Name of that Lease.")] = NAME,
    kubeconfig: Annotated[Path | None, typer.Option(help="Default: the user's kubeconfig.")] = None,
) -> None:
    """Give all services the scale bounds that were found on them; afterwards Barista can be deleted."""
    import socket

    from barista.cli.cluster import connected, platform_on
    from barista.platforms.knative.client import Refused
    from barista.platforms.knative.events import Events
    from barista.platforms.knative.leader import Leader
    from barista.platforms.knative.snapshot import ClusterWatch
    from barista.ports.platform import PlatformUnavailable

    server = connected(kubeconfig, "barista uninstall")
    who = f"uninstall on {socket.gethostname()}"
    leader, watch = Leader(server, namespace, lease, who), ClusterWatch(server)
    platform = platform_on(server, watch, Events(server, who), lambda: leader.leads)
    try:
        _take_over(leader, namespace)
        watch.start()
        watch.wait_listed()
        outcomes = platform.give_back(lambda _service: True)
    except (PlatformUnavailable, Refused) as error:
        typer.echo(f"barista uninstall: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        watch.stop()
        leader.stop()
    for applied in outcomes:
        typer.echo(f"{applied.service}: {applied.text}")
    if not all(applied.ok for applied in outcomes):
        raise typer.Exit(1)
    typer.echo(f"{len(outcomes)} services given back; Barista's manifests can be deleted now")


def _take_over(leader: "Leader", namespace: str) -> None:
    """Hold the Lease: a controller that runs would write again what is given back here."""
    deadline = time.monotonic() + LEASE_WITHIN_S
    while True:
        leader.attempt()
        if leader.leads:
            leader.start()
            return
        if time.monotonic() > deadline:
            typer.echo(
                "barista uninstall: a controller is running: stop it first, by"
                f" kubectl scale deployment {NAME} --namespace {namespace} --replicas 0",
                err=True,
            )
            raise typer.Exit(1)
        time.sleep(1)
