import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from barista.plan.instance import instance_document, plan_document
from barista.plan.price import price
from barista.testing.planners import random_problem, worked_example
from barista.values.problem import FlavorPlan, Plan, PlanStatus, Problem

CHECKER = Path(__file__).parents[4] / "shared" / "bench" / "planning" / "check.py"


def plan_of(**flavors: tuple[list[int], list[int]]) -> Plan:
    counts = {name: FlavorPlan(tuple(start), tuple(stop)) for name, (start, stop) in flavors.items()}
    return Plan({"web": counts}, PlanStatus.FEASIBLE, "by hand")


NONE = [0, 0, 0]


@pytest.mark.parametrize(
    ("plan", "provision", "shortfall"),
    [
        (plan_of(small=([1, 1, 0], NONE)), 0.08, 0.015),
        (plan_of(small=([1, 2, 0], NONE)), 0.10, 0.0),
        (plan_of(large=([0, 1, 0], NONE), small=(NONE, [0, 0, 1])), 0.08, 0.03),
    ],
    ids=["plan A", "plan B", "plan C"],
)
def test_the_worked_example_costs_what_it_says(plan: Plan, provision: float, shortfall: float) -> None:
    found = price(worked_example(), plan)
    assert found.violations == ()
    assert found.provision_cost == pytest.approx(provision)
    assert found.shortfall_cost == pytest.approx(shortfall)
    assert found.cost == pytest.approx(provision + shortfall)


@pytest.mark.parametrize(
    ("plan", "violation"),
    [
        (plan_of(small=([1, 1, 0], [0, 1, 0])), "lease: service 'web', flavor 'small', step 1"),
        (plan_of(small=([1, 1, 0], NONE), large=([0, 1, 0], NONE)), "pool: 'main', step 1: cpu 7 > 5"),
        (plan_of(small=([5, 0, 0], NONE)), "maximum: service 'web', step 0: 6 replicas > 5"),
        (plan_of(small=(NONE, [0, 0, 1])), "minimum: service 'web', step 2: 0 replicas < 1"),
        (plan_of(huge=([1, 0, 0], NONE)), "flavor 'huge': the service does not list this flavor"),
        (plan_of(small=([1, 0], NONE)), "start and stop must be 3 integers of at least 0"),
        (plan_of(small=([-1, 0, 0], NONE)), "start and stop must be 3 integers of at least 0"),
        (plan_of(small=([0.5, 0, 0], NONE)), "start and stop must be 3 integers of at least 0"),  # type: ignore[arg-type]  # what a plug-in may return
        (Plan({"db": {}}, PlanStatus.FEASIBLE, "by hand"), "service 'db': not in the problem"),
    ],
)
def test_each_violation_is_named(plan: Plan, violation: str) -> None:
    found = price(worked_example(), plan)
    assert not found.feasible
    assert any(violation in text for text in found.violations), found.violations


def test_each_start_and_each_stop_costs_the_switching_cost() -> None:
    problem = worked_example()
    sticky = replace(problem, services=(replace(problem.services[0], switching_cost=0.5),))
    plan = plan_of(large=([0, 2, 0], NONE), small=(NONE, [0, 0, 1]))
    found = price(sticky, plan)
    assert found.switching_cost == pytest.approx(3 * 0.5)
    assert found.cost == pytest.approx(price(problem, plan).cost + 3 * 0.5)


def test_what_a_plan_leaves_out_starts_and_stops_nothing() -> None:
    nothing = price(worked_example(), Plan({}, PlanStatus.FEASIBLE, "by hand"))
    assert nothing.feasible
    assert nothing.unserved_requests == pytest.approx((10 + 25) * 300)


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    if not CHECKER.exists():
        pytest.skip("the planning benchmark is not beside this checkout")
    spec = importlib.util.spec_from_file_location("planning_check", CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(40))
def test_the_price_of_any_plan_is_the_benchmarks(seed: int, checker: ModuleType) -> None:
    problem = random_problem(seed)
    for plan in random_plans(problem, np.random.default_rng(seed)):
        instance = checker.parse_instance(instance_document(problem))
        theirs = checker.check(instance, checker.parse_plan(plan_document(plan), instance))
        ours = price(problem, plan)
        assert len(ours.violations) == theirs.count
        assert ours.provision_cost == pytest.approx(theirs.provision_cost)
        assert ours.shortfall_cost == pytest.approx(theirs.shortfall_cost)
        assert ours.unserved_requests == pytest.approx(theirs.unserved_requests)


def random_plans(problem: Problem, rng: np.random.Generator) -> list[Plan]:
    def counts(likely: float) -> tuple[int, ...]:
        return tuple(int(n) for n in rng.integers(1, 3, problem.steps) * (rng.random(problem.steps) < likely))

    def plan(starts: float, stops: float) -> Plan:
        services = {
            service.name: {o.flavor: FlavorPlan(counts(starts), counts(stops)) for o in service.flavors}
            for service in problem.services
        }
        return Plan(services, PlanStatus.FEASIBLE, "by chance")

    return [plan(0.3, 0.0), plan(0.3, 0.1), plan(0.0, 0.1), replace(plan(0.0, 0.0), services={})]
