"""`barista models`: lists the models of the store and builds their archives."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from barista.models import (
    BuildError,
    BuiltModel,
    ModelError,
    build_models,
    find_built,
    find_store,
    model_names,
)

Store = Annotated[Path | None, typer.Option(help="Folder of model sources; default: model-store.")]
Output = Annotated[
    Path | None, typer.Option(help="Where archives go; default: $BARISTA_MODELS or ~/.cache/barista/models.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def register(app: typer.Typer) -> None:
    """Add the commands `models build` and `models list` to `app`."""
    models = typer.Typer(no_args_is_help=True, help="Example models: list them, build their archives.")
    models.command("build")(build)
    models.command("list")(show)
    app.add_typer(models, name="models")


def build(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all.")] = None,
    store: Store = None,
    output: Output = None,
    force: Annotated[bool, typer.Option("--force", help="Build even what is up to date.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the archives of models whose source has changed."""
    console = Console(stderr=True)
    try:
        with console.status("building models") as status:
            built = build_models(names, store, output, force, progress=status.update)
    except ModelError as error:
        _fail(error)
    _print(built, as_json)


def show(store: Store = None, output: Output = None, as_json: AsJson = False) -> None:
    """List the models of the store and the archives built from their present source."""
    try:
        found = find_store(store)
        _print({name: find_built(name, found, output) for name in model_names(found)}, as_json)
    except ModelError as error:
        _fail(error)


def _fail(error: ModelError) -> NoReturn:
    typer.echo(f"barista: {error}", err=True)
    raise typer.Exit(1 if isinstance(error, BuildError) else 2)


def _print(models: Mapping[str, BuiltModel | None], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_document(name, model) for name, model in models.items()], indent=2))
        return
    table = Table("model", "accuracy", "archive", box=None)
    for name, model in models.items():
        if model is None:
            table.add_row(name, "", f"not built: barista models build {name}")
        else:
            accuracy = "-" if model.accuracy is None else f"{model.accuracy:.1%}"
            table.add_row(name, accuracy, str(model.archive))
    Console(soft_wrap=True).print(table)


def _document(name: str, model: BuiltModel | None) -> dict[str, object]:
    if model is None:
        return {"model": name, "archive": None}
    return {
        "model": name,
        "archive": str(model.archive),
        "accuracy": model.accuracy,
        "sample": str(model.sample),
        "content_type": model.content_type,
    }
