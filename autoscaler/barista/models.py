"""The model store: example models as source, built into archives that a model server loads.

A model is a folder of the store: the network (`model.py`), its handler (`handler.py`), the server's
settings for it (`model-config.yaml`) and a recipe. The recipe is a program of its own: called as
``python recipe.py OUT`` it writes the weights, a sample request body and `result.json` into OUT.
Packaged, they make the archive. Archives are built outside the checkout, each under the hash of what
it was made from, so a model is built once and again only when its source has changed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

STORE = Path("model-store")
SOURCES = ("model.py", "handler.py", "model-config.yaml", "recipe.py")
WEIGHTS = "weights.pt"
RESULT = "result.json"
_PACKAGED = ("model.py", "handler.py", "model-config.yaml", WEIGHTS)
_MADE_WITH = ("torch", "torch-model-archiver")


class ModelError(Exception):
    """A model cannot be found or built; the message names the model, the place and the mend."""


class BuildError(ModelError):
    """A model is there, but its recipe failed."""


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model ready to be served: its archive, and a request to try it with.

    `accuracy` is the share of held-out inputs answered right (None: the weights were not trained);
    `answer` holds the fields that the answer to `sample` must have (None: nothing is promised).
    """

    name: str
    archive: Path
    sample: Path
    content_type: str
    accuracy: float | None = None
    answer: Mapping[str, Any] | None = None

    def body(self) -> bytes:
        """The sample request's body."""
        return self.sample.read_bytes()


def find_store(store: Path | None = None) -> Path:
    """The model store: `store` as given, else under the current directory, else in the checkout.

    A relative path is looked for in the current directory, then in every directory above this
    package. ModelError when there is none.
    """
    wanted = store or STORE
    for root in (Path.cwd(), *Path(__file__).resolve().parents):
        if (root / wanted).is_dir():
            return (root / wanted).resolve()
    raise ModelError(
        f"model store {str(wanted)!r}: no such directory in {Path.cwd()} or above the package barista;"
        " name it with --store (it is the folder model-store of the source tree)"
    )


def output_dir(output: Path | None = None) -> Path:
    """Where archives go: `output`, else $BARISTA_MODELS, else ~/.cache/barista/models."""
    if output is not None:
        return output
    configured = os.environ.get("BARISTA_MODELS")
    return Path(configured) if configured else Path.home() / ".cache" / "barista" / "models"


def model_names(store: Path) -> tuple[str, ...]:
    """Names of the models of `store`: its folders with a recipe, sorted."""
    return tuple(sorted(recipe.parent.name for recipe in store.glob("*/recipe.py")))


def find_built(name: str, store: Path | None = None, output: Path | None = None) -> BuiltModel | None:
    """The archive of `name` as built from its present source; None when it has yet to be built."""
    return _read(name, _place(_source(name, find_store(store)), output_dir(output)))


def build_models(
    names: Iterable[str] | None = None,
    store: Path | None = None,
    output: Path | None = None,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, BuiltModel]:
    """Build the models `names` (default: all of the store) where their source has changed, or `force`.

    `progress` is told one line a model. ModelError says which model could not be built, and why.
    """
    found = find_store(store)
    target = output_dir(output)
    return {name: _build(name, found, target, force, progress) for name in names or model_names(found)}


def _build(name: str, store: Path, output: Path, force: bool, progress: Callable[[str], None]) -> BuiltModel:
    source = _source(name, store)
    place = _place(source, output)
    built = None if force else _read(name, place)
    if built is not None:
        progress(f"{name}: up to date")
        return built
    progress(f"{name}: building")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=output) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        _run_recipe(name, source, made)
        _package(name, source, made)
        (made / WEIGHTS).unlink()
        if force or _read(name, place) is None:
            shutil.rmtree(place, ignore_errors=True)
        _publish(made, place)
    built = _read(name, place)
    if built is None:
        raise BuildError(f"model {name!r}: {source / 'recipe.py'} wrote no usable {RESULT} or no sample")
    return built


def _source(name: str, store: Path) -> Path:
    source = store / name
    missing = [file for file in SOURCES if not (source / file).is_file()]
    if len(missing) == len(SOURCES):
        known = ", ".join(model_names(store)) or "none"
        raise ModelError(f"model {name!r}: not in the store {store}; known: {known}")
    if missing:
        raise ModelError(f"model {name!r}: {source} lacks {', '.join(missing)}")
    return source


def _place(source: Path, output: Path) -> Path:
    digest = hashlib.sha256()
    for file in SOURCES:
        digest.update(file.encode() + b"\0" + (source / file).read_bytes() + b"\0")
    for package in _MADE_WITH:
        digest.update(f"{package} {_version(package)}\0".encode())
    return output / f"{source.name}-{digest.hexdigest()[:12]}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ModelError(
            f"models: the package {package} is missing; install it:"
            " pip install 'knative-barista[torchserve,demo]'"
        ) from error


def _read(name: str, place: Path) -> BuiltModel | None:
    try:
        result = json.loads((place / RESULT).read_text())
        built = BuiltModel(
            name,
            place / f"{name}.mar",
            place / result["sample"],
            result["content_type"],
            result["accuracy"],
            result["answer"],
        )
    except (OSError, ValueError, KeyError):
        return None
    return built if built.archive.is_file() and built.sample.is_file() else None


def _run_recipe(name: str, source: Path, out: Path) -> None:
    """In a process of its own: what a recipe imports and trains leaves nothing behind in this one."""
    run = subprocess.run(
        [sys.executable, "-B", str(source / "recipe.py"), str(out)],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().splitlines()
        raise BuildError(f"model {name!r}: {source / 'recipe.py'}: {said[-1] if said else 'failed silently'}")
    if not (out / WEIGHTS).is_file():
        raise BuildError(
            f"model {name!r}: {source / 'recipe.py'} wrote no {WEIGHTS} into the directory it got"
        )


def _package(name: str, source: Path, made: Path) -> None:
    from model_archiver.model_archiver_config import ModelArchiverConfig  # noqa: PLC0415
    from model_archiver.model_packaging_utils import ModelExportUtils  # noqa: PLC0415

    content = made.parent / "content"
    content.mkdir()
    for file in _PACKAGED:
        origin = made / file if file == WEIGHTS else source / file
        shutil.copy(origin, content)
    manifest = ModelExportUtils.generate_manifest_json(
        ModelArchiverConfig(
            model_name=name,
            version="1.0",
            model_file="model.py",
            handler="handler.py",
            serialized_file=WEIGHTS,
            config_file="model-config.yaml",
        )
    )
    # Stored, not compressed: weights hardly shrink, and every replica's start would unpack them.
    ModelExportUtils.archive(str(made), name, str(content), manifest, "zip-store")


def _publish(made: Path, place: Path) -> None:
    """Rename into place, whole or not at all; who builds the same at the same time made the same."""
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():
            raise
