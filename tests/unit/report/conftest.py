"""A recorded run under each of two policies, written once for all tests of the report."""

from pathlib import Path

import pytest
from synthetic_run import write_run

from barista.report.recording import Run, read_run


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recorded")
    for policy in ("barista", "kpa"):
        write_run(directory / policy, policy)
    return directory


@pytest.fixture(scope="session")
def runs(recorded: Path) -> dict[str, Run]:
    return {policy: read_run(recorded / policy) for policy in ("barista", "kpa")}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A recording of its own, to be damaged."""
    return write_run(tmp_path / "run")
