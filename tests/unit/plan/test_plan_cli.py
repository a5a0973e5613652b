import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from barista.cli.plan import register
from barista.plan.instance import read_plan, write_instance
from barista.plan.price import price
from barista.testing.planners import worked_example

app = typer.Typer()
register(app)


@app.callback()
def several() -> None:
    """Makes `plan` a command by name, as in the whole program."""


def barista(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    write_instance(tmp_path / "problem.json.gz", worked_example())
    return tmp_path / "problem.json.gz"


@pytest.mark.parametrize("planner", ["mip", "greedy"])
def test_a_plan_is_written_and_told_as_json(planner: str, instance: Path, tmp_path: Path) -> None:
    output = tmp_path / "plan.json"
    code, out, _ = barista("plan", instance, "-o", output, "--planner", planner, "--json")
    told = json.loads(out)
    assert code == 0
    assert set(told) == {"cost", "bound", "gap", "status", "seconds"}
    found = price(worked_example(), read_plan(output))
    assert found.feasible
    assert told["cost"] == pytest.approx(found.cost)


def test_without_json_a_table_tells_cost_bound_and_time(instance: Path) -> None:
    code, out, _ = barista("plan", instance, "--planner", "mip")
    assert code == 0
    assert "0.0950 (provision 0.0800, shortfall 0.0150: 1500 requests)" in out
    assert "0.000%" in out


def test_no_usable_plan_is_exit_code_1(instance: Path, tmp_path: Path) -> None:
    problem = worked_example()
    write_instance(instance, replace(problem, pools=(replace(problem.pools[0], cpu=0.5),)))
    code, out, err = barista("plan", instance, "--planner", "mip", "--json", "-o", tmp_path / "plan.json")
    assert code == 1
    assert json.loads(out)["status"] == "infeasible"
    assert "no plan" in err
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.json", "--planner", "greedy"], "none.json: cannot be read: No such file"),
        (["{instance}", "--planner", "best"], "planner 'best': no such plug-in installed; known: "),
    ],
)
def test_wrong_input_is_exit_code_2_and_one_line(arguments: list[str], message: str, instance: Path) -> None:
    code, _, err = barista("plan", *(argument.format(instance=instance) for argument in arguments))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
