"""What importing costs: the core loads nothing heavy, and nothing loads its plug-ins."""

import subprocess
import sys
from pathlib import Path

import pytest

import barista

HEAVY = ("torch", "neuralprophet", "mip", "prophet", "lightgbm", "pandas", "matplotlib", "barista_plugins")
PACKAGE = Path(barista.__file__).parent


def all_modules() -> list[str]:
    found = (path.relative_to(PACKAGE.parent).with_suffix("").parts for path in PACKAGE.rglob("*.py"))
    # A __main__ does its work when it is imported.
    return sorted(".".join(p).removesuffix(".__init__") for p in found if p[-1] != "__main__")


def loaded_by(modules: list[str]) -> set[str]:
    """The heavy libraries that a fresh interpreter has loaded after importing `modules`."""
    code = f"import sys, {', '.join(modules)}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_the_core_loads_nothing_heavy() -> None:
    core = [
        "barista.values",
        "barista.plan",
        "barista.control",
        "barista.platforms.local",
        "barista.settings",
    ]
    assert loaded_by(core) == set()


@pytest.mark.parametrize("area", ["cli", "the rest"])
def test_no_module_loads_anything_heavy(area: str) -> None:
    modules = [m for m in all_modules() if m.startswith("barista.cli") == (area == "cli")]
    assert loaded_by(modules) == set()
