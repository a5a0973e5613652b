import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from barista.plan.greedy import GreedyPlanner
from barista.plan.instance import (
    InstanceError,
    instance_document,
    read_instance,
    read_plan,
    write_instance,
    write_plan,
)
from barista.testing.planners import random_problem, worked_example
from barista.values.problem import FlavorPlan, Plan, PlanLimits, PlanStatus


@pytest.mark.parametrize("name", ["problem.json", "problem.json.gz"])
def test_an_instance_comes_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    problem = random_problem(3)
    write_instance(tmp_path / name, problem)
    assert read_instance(tmp_path / name) == problem


def test_what_goes_beyond_the_benchmark_comes_back_and_is_written_only_where_it_is_set(
    tmp_path: Path,
) -> None:
    problem = worked_example()
    (web,) = problem.services
    family = tuple(replace(flavor, family="web") for flavor in problem.flavors)
    rich = replace(
        problem,
        flavors=family,
        services=(replace(web, switching_cost=0.25, shortfall_steps=((0.5, 1.0), (0.5, 2.0))),),
    )
    write_instance(tmp_path / "rich.json", rich)
    assert read_instance(tmp_path / "rich.json") == rich
    document = instance_document(problem)
    assert set(document["flavors"][0]) == {"name", "pool", "cpu", "memory_gib", "gpu", "cost_per_hour"}
    assert not {"switching_cost", "shortfall_steps"} & set(document["services"][0])
    resized = Plan(
        {"web": {"large": FlavorPlan((0, 1, 0), (0, 0, 0), (0, 1, 0))}}, PlanStatus.FEASIBLE, "by hand"
    )
    write_plan(tmp_path / "plan.json", resized)
    assert read_plan(tmp_path / "plan.json").services == resized.services


@pytest.mark.parametrize("name", ["plan.json", "plan.json.gz"])
def test_a_plan_comes_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    plan = GreedyPlanner().plan(random_problem(3), PlanLimits())
    write_plan(tmp_path / name, plan)
    assert read_plan(tmp_path / name).services == plan.services


def test_a_gzipped_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(gzip.compress(json.dumps(instance_document(worked_example())).encode()))
    assert read_instance(path) == worked_example()


def test_an_instance_without_a_name_is_called_by_its_file(tmp_path: Path) -> None:
    document = instance_document(worked_example())
    del document["name"]
    path = tmp_path / "friday.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert read_instance(path).name == "friday"


def without(key: str) -> Any:
    return lambda document: document.pop(key)


def on_service(**fields: Any) -> Any:
    return lambda document: document["services"][0].update(fields)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            on_service(shortfall_steps=[[0.5, 2.0], [0.5, 1.0]]),
            "service 'web': shortfall_steps: factors [2.0, 1.0]: need",
        ),
        (on_service(shortfall_steps=[[0.5, 0.9]]), "service 'web': shortfall_steps: factors [0.9]: need"),
        (
            on_service(shortfall_steps=[[0.5, 1.0], [0.6, 2.0]]),
            "service 'web': shortfall_steps: shares [0.5, 0.6]: need",
        ),
        (
            on_service(switching_cost=-1.0),
            "services.0.switching_cost: Input should be greater than or equal to 0",
        ),
        (without("steps"), "steps: Field required"),
        (lambda d: d.update(step_s=0), "step_s: Input should be greater than 0"),
        (lambda d: d["pools"].append(d["pools"][0]), "pools: name 'main' occurs twice: rename one"),
        (
            lambda d: d["flavors"][0].update(pool="other"),
            "flavor 'small': no such pool 'other'; known: main",
        ),
        (
            on_service(demand_rps=[1.0]),
            "service 'web': demand_rps has 1 values, need one for each of 3 steps",
        ),
        (on_service(demand_rps=[1.0, -2.0, 3.0]), "service 'web': demand_rps holds -2.0"),
        (on_service(demand_rps=[1.0, "x", 3.0]), "services.0.demand_rps.1: Input should be a valid number"),
        (on_service(max_replicas=0), "service 'web': max_replicas 0 is below min_replicas 1"),
        (on_service(min_replicas=1.5), "services.0.min_replicas: "),
        (
            on_service(replicas=[{"flavor": "huge", "ready_in": 0, "lease_left": 0}]),
            "service 'web': a replica of flavor 'huge', which the service does not list; listed: large,",
        ),
    ],
)
def test_a_wrong_instance_is_told_in_one_line(spoil: Any, message: str, tmp_path: Path) -> None:
    document = instance_document(worked_example())
    spoil(document)
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InstanceError) as caught:
        read_instance(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\x1f\x8b broken", b"[]"])
def test_what_is_no_instance_at_all_is_told_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(content)
    with pytest.raises(InstanceError) as caught:
        read_instance(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="cannot be read: No such file"):
        read_instance(tmp_path / "none.json")
