"""`barista webhook`: answers the API server's questions about services, Revisions, pods and our resources."""

from pathlib import Path
from typing import Annotated

import typer

NAMESPACE = "barista-system"
NAME = "barista-webhook"


def register(app: typer.Typer) -> None:
    """Add the command `webhook` to `app`."""
    app.command("webhook")(webhook)


def webhook(
    config: Annotated[
        Path | None, typer.Option(help="barista.yaml, for the names that services may choose.")
    ] = None,
    namespace: Annotated[
        str, typer.Option(envvar="POD_NAMESPACE", help="Where its Secret and its Service are.")
    ] = NAMESPACE,
    service: Annotated[str, typer.Option(help="The Service that the API server reaches it by.")] = NAME,
    secret: Annotated[str, typer.Option(help="The Secret that its certificates are kept in.")] = (
        f"{NAME}-certificates"
    ),
    configuration: Annotated[
        str, typer.Option(help="The webhook configurations that are told whom to trust.")
    ] = NAME,
    host: Annotated[
        list[str] | None, typer.Option(help="Another name or address that it is reached by.")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - in its pod
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8443,
    kubeconfig: Annotated[Path | None, typer.Option(help="Default: the pod's own, else the user's.")] = None,
) -> None:
    """Serve the admission webhook of Barista on Knative."""
    import logging

    from kubernetes.config import ConfigException

    from barista.platforms.knative.client import ApiServer
    from barista.webhook.memory import Memory
    from barista.webhook.names import ConfiguredNames
    from barista.webhook.rotation import Place
    from barista.webhook.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        server = ApiServer.connect(kubeconfig)
    except ConfigException as error:
        typer.echo(f"barista webhook: no cluster: {error}; give --kubeconfig", err=True)
        raise typer.Exit(2) from error
    hosts = (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local", *(host or ()))
    serve(
        server,
        Memory(server, ConfiguredNames(config)),
        Place(namespace, secret, configuration, hosts),
        bind,
        port,
    )
