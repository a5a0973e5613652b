"""How many random problems the contract of planners is checked on, and the benchmark's own checker."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKER = Path(__file__).parents[3] / "shared" / "bench" / "planning" / "check.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--problems", type=int, default=24, help="random problems for each planner")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "problem_seed" in metafunc.fixturenames:
        metafunc.parametrize("problem_seed", range(metafunc.config.getoption("problems")))


@pytest.fixture(scope="session")
def checker() -> ModuleType:
    """The benchmark's check.py as a module."""
    if not CHECKER.exists():
        pytest.skip("the planning benchmark is not beside this checkout")
    spec = importlib.util.spec_from_file_location("planning_checker", CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
