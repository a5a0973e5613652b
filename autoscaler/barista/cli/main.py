"""The `barista` command: its commands, and how errors reach the person.

Exit codes: 0 done; 1 the work failed or found nothing; 2 wrong input (one line says what, where
and how to mend it).
"""

import sys

import typer

from barista import __version__
from barista.cli import (
    backtest,
    control,
    controller,
    crds,
    demo,
    explain,
    forecast,
    models,
    plan,
    profile,
    profile_resources,
    run,
    simulate,
    uninstall,
    webhook,
)
from barista.plugins import PluginError
from barista.settings import SettingsError

app = typer.Typer(
    name="barista",
    help="Predictive autoscaling for deep-learning prediction services.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

for module in (
    demo,
    run,
    plan,
    forecast,
    backtest,
    simulate,
    profile,
    models,
    explain,
    control,
    controller,
    uninstall,
    webhook,
    profile_resources,
    crds,
):
    module.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run_app() -> None:
    """Run the command line; wrong configuration or plug-in names end in one clear line."""
    try:
        app()
    except (SettingsError, PluginError) as error:
        typer.echo(f"barista: {error}", err=True)
        sys.exit(2)
