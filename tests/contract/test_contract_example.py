"""The example plug-in, installed like anybody's: into a folder of its own, found by its entry point."""

import subprocess
import sys
from pathlib import Path

import pytest

from barista.plugins import FORECASTERS, load_plugin
from barista.testing.forecasters import check_forecaster
from barista.testing.hosting import check_under_host

EXAMPLE = Path(__file__).parents[2] / "plugins" / "example"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    uv = Path(sys.executable).with_name("uv")
    # Its build backend is part of uv: nothing is fetched.
    options = ("--quiet", "--offline", "--no-cache", "--no-deps", "--python", sys.executable)
    subprocess.run([uv, "pip", "install", *options, "--target", target, EXAMPLE], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(target))
        yield target


@pytest.mark.usefixtures("installed")
def test_installed_it_is_found_by_name_and_keeps_the_contract():
    check_forecaster(load_plugin(FORECASTERS, "average-day", {"days": 7}), scale_equivariant=True)


@pytest.mark.usefixtures("installed")
def test_the_host_finds_it_in_its_worker_processes():
    check_under_host("average-day", {"days": 7})


def test_the_tests_that_it_brings_along_pass(installed):
    brought = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "tests"]
    run = subprocess.run(
        brought,
        cwd=EXAMPLE,
        env={"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
