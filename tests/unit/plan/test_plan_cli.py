import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from barista.cli.plan import register
from barista.plan.greedy import GreedyPlanner
from barista.plan.instance import read_plan, write_instance
from barista.plan.price import price
from barista.testing.planners import worked_example
from barista.values.problem import Plan, PlanLimits, Problem

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


def test_each_service_is_drawn_step_by_step(instance: Path) -> None:
    code, out, _ = barista("plan", instance, "--planner", "mip")
    lines = [line.rstrip() for line in out.splitlines()]
    begin = lines.index("web  peak 35 requests/s, 92.3% served, cost 0.0950")
    assert code == 0
    assert lines[begin + 1 :] == [
        "  step        0    1    2",
        "  small       2┄┄┄┄3┄┄┄┄3━━━━",
        "  capacity    10▂  20▅  30▇",
        "  demand      10▂  20▅  35█",
    ]


def test_a_long_horizon_is_drawn_with_a_character_a_step(instance: Path) -> None:
    problem = worked_example()
    (web,) = problem.services
    demand = tuple(10.0 * (step % 3) for step in range(30))
    write_instance(
        instance, replace(problem, steps=30, services=(replace(web, demand_rps=demand, min_replicas=2),))
    )
    _, out, _ = barista("plan", instance, "--planner", "greedy")
    assert f"  demand      {' ▄█' * 10}" in out


def test_as_many_services_are_shown_as_asked_for(instance: Path) -> None:
    problem = worked_example()
    twice = tuple(replace(problem.services[0], name=name) for name in ("web", "shop"))
    write_instance(instance, replace(problem, services=twice, pools=(replace(problem.pools[0], cpu=50.0),)))
    _, out, _ = barista("plan", instance, "--planner", "greedy", "--services", 1)
    assert "shop  peak" in out
    assert "web  peak" not in out
    assert "1 more services" in out
    _, out, _ = barista("plan", instance, "--planner", "greedy", "--services", 0)
    assert "peak" not in out


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_plan_is_drawn_as_a_picture(kind: str, instance: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan"
    code, _, _ = barista("plan", instance, "--planner", "greedy", f"--{kind}", picture)
    assert code == 0
    assert picture.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


def test_replicas_of_a_family_are_resized_in_place(instance: Path, tmp_path: Path) -> None:
    problem = worked_example()
    family = tuple(replace(flavor, family="web") for flavor in problem.flavors)
    write_instance(instance, replace(problem, flavors=family))
    output = tmp_path / "plan.json"
    _, out, _ = barista("plan", instance, "--planner", "mip", "-o", output)
    made = read_plan(output)
    assert price(replace(problem, flavors=family), made).cost < 0.095 - 1e-6
    assert "optimal" in out


@pytest.mark.parametrize(("services", "gap"), [(50, 1e-3), (51, 1e-2)])
def test_without_a_gap_few_services_are_planned_more_closely_than_many(
    services: int, gap: float, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Listens(GreedyPlanner):
        def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
            asked.append(limits.gap)
            return super().plan(problem, limits)

    monkeypatch.setattr("barista.plugins.load_plugin", lambda *_: Listens())
    problem = worked_example()
    many = tuple(
        replace(problem.services[0], name=f"s{i}", min_replicas=0, replicas=()) for i in range(services)
    )
    write_instance(instance, replace(problem, services=many))
    barista("plan", instance)
    barista("plan", instance, "--gap", 0.5)
    assert asked == [gap, 0.5]


def test_no_usable_plan_is_exit_code_1(instance: Path, tmp_path: Path) -> None:
    problem = worked_example()
    write_instance(instance, replace(problem, pools=(replace(problem.pools[0], cpu=0.5),)))
    code, out, err = barista("plan", instance, "--planner", "mip", "--json", "-o", tmp_path / "plan.json")
    assert code == 1
    assert json.loads(out)["status"] == "infeasible"
    assert "no plan: step 0: these cannot hold together: pool 'main' has cpu 0.5; service 'web' holds" in err
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
