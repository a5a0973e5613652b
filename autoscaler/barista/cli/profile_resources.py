"""`barista profile-resources`: measured execution profiles as resources of the cluster."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command `profile-resources` to `app`."""
    app.command("profile-resources")(profile_resources)


def profile_resources(
    profiles: Annotated[Path, typer.Argument(metavar="PROFILES.yaml", help="What `barista profile` wrote.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The namespace of the services that they describe.")
    ] = "default",
) -> None:
    """Print ExecutionProfiles, for `kubectl apply -f -`."""
    import yaml
    from pydantic import ValidationError

    from barista.cli.failures import said_in_one_line
    from barista.platforms.knative.resources import ExecutionProfileResource
    from barista.profile.store import read_profiles

    with said_in_one_line("profile-resources"):
        measured = read_profiles(profiles)
    try:
        resources = [ExecutionProfileResource.of(profile, namespace) for profile in measured]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        typer.echo(f"barista profile-resources: {profiles}: {where}: {first['msg']}", err=True)
        raise typer.Exit(2) from error
    documents = [resource.document() for resource in resources]
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False), nl=False)
