"""The model store: built once from its source, again when that changed; failures name the place."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from barista.models import (
    BuildError,
    ModelError,
    build_models,
    find_built,
    find_store,
    model_names,
    output_dir,
)

RECIPE = """
import json, sys
from pathlib import Path
out = Path(sys.argv[1])
(out / "weights.pt").write_bytes(b"weights")
(out / "sample.json").write_text("[1]")
result = {"sample": "sample.json", "content_type": "application/json", "accuracy": 0.5, "answer": None}
(out / "result.json").write_text(json.dumps(result))
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one model, `net`, whose recipe trains nothing."""
    source = tmp_path / "store" / "net"
    source.mkdir(parents=True)
    (source / "model.py").write_text("class Net: ...\n")
    (source / "handler.py").write_text("def handle(data, context): return data\n")
    (source / "model-config.yaml").write_text("minWorkers: 1\n")
    (source / "recipe.py").write_text(RECIPE)
    return tmp_path / "store"


def test_a_model_is_built_once_and_again_when_its_source_changed(store: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def build(force: bool = False) -> Path:
        return build_models(["net"], store, tmp_path / "out", force, said.append)["net"].archive

    assert find_built("net", store, tmp_path / "out") is None
    first = build()
    assert build() == first
    (store / "net" / "handler.py").write_text("def handle(data, context): return [0]\n")
    second = build()
    assert second != first
    assert build(force=True) == second
    assert said == ["net: building", "net: up to date", "net: building", "net: building"]
    built = find_built("net", store, tmp_path / "out")
    assert built is not None
    assert (built.archive, built.body(), built.accuracy) == (second, b"[1]", 0.5)
    held = zipfile.ZipFile(second).namelist()
    assert {"model.py", "handler.py", "model-config.yaml", "weights.pt", "MAR-INF/MANIFEST.json"} <= {*held}
    # Nothing half-made stays, and nothing is written into the source.
    assert all(not path.name.startswith(".") for path in (tmp_path / "out").iterdir())
    assert sorted(p.name for p in (store / "net").iterdir()) == [
        "handler.py",
        "model-config.yaml",
        "model.py",
        "recipe.py",
    ]


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (lambda net: (net / "recipe.py").write_text("raise SystemExit('no data')"), BuildError, "no data"),
        (lambda net: (net / "recipe.py").write_text(""), BuildError, "wrote no weights.pt"),
        (
            lambda net: (net / "recipe.py").write_text(RECIPE.replace("result.json", "other.json")),
            BuildError,
            "wrote no usable result.json or no sample",
        ),
        (lambda net: (net / "handler.py").unlink(), ModelError, "lacks handler.py"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(
    store: Path, tmp_path: Path, damage: Callable[[Path], object], kind: type[ModelError], message: str
) -> None:
    damage(store / "net")
    with pytest.raises(kind, match=message):
        build_models(["net"], store, tmp_path / "out")


def test_an_unknown_model_or_store_names_what_is_there(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"model 'ten': not in the store .*; known: net"):
        build_models(["ten"], store, tmp_path / "out")
    with pytest.raises(ModelError, match="no such directory in"):
        find_store(Path("no-such-store"))
    monkeypatch.chdir(tmp_path)
    assert find_store(Path("store")) == store
    assert model_names(store) == ("net",)


def test_archives_go_where_they_are_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BARISTA_MODELS", raising=False)
    assert output_dir(tmp_path) == tmp_path
    assert output_dir() == Path(os.path.expanduser("~")) / ".cache" / "barista" / "models"  # noqa: PTH111
    monkeypatch.setenv("BARISTA_MODELS", str(tmp_path / "elsewhere"))
    assert output_dir() == tmp_path / "elsewhere"
