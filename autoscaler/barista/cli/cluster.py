"""A cluster reached from the command line: the API server, and a platform put together on it."""

from collections.abc import Callable
from pathlib import Path

import typer

from barista.platforms.knative.actuation import Actuator
from barista.platforms.knative.client import ApiServer
from barista.platforms.knative.events import Events
from barista.platforms.knative.following import Followers
from barista.platforms.knative.plans import PlanWriter
from barista.platforms.knative.platform import KnativePlatform
from barista.platforms.knative.snapshot import ClusterWatch


def connected(kubeconfig: Path | None, command: str) -> ApiServer:
    """The API server; ends the command (exit code 2) where no cluster is named."""
    from kubernetes.config import ConfigException

    try:
        return ApiServer.connect(kubeconfig)
    except ConfigException as error:
        typer.echo(f"{command}: no cluster: {error}; give --kubeconfig", err=True)
        raise typer.Exit(2) from error


def platform_on(
    server: ApiServer, watch: ClusterWatch, events: Events, may_act: Callable[[], bool]
) -> KnativePlatform:
    """The cluster seen by `watch` as a platform; what happens is told by `events`."""
    actuator = Actuator(
        server, watch.revisions, PlanWriter(server, watch.plans), Followers(server), events.tell
    )
    return KnativePlatform(watch.look, actuator, may_act)
