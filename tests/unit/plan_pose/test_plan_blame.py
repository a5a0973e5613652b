"""Infeasible is explained: by limits that cannot hold together, none of them superfluous."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.plan.blame import Blame, blame
from barista.plan.host import PlannerHost
from barista.plan.packing import pack
from barista.testing.planners import random_problem, worked_example
from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    Plan,
    PlanLimits,
    PlanStatus,
    Problem,
    ServiceProblem,
)
from barista_plugins.mip import MipPlanner

REPEATABLE = PlanLimits(time_limit_s=None, gap=1e-4, node_limit=2000)


def service(
    name: str, least: int, *flavors: str, most: int = 9, stuck: int = 0, until: int = 9
) -> ServiceProblem:
    return ServiceProblem(
        name=name,
        demand_rps=(0.0,) * 4,
        shortfall_cost_per_request=0.0,
        min_replicas=least,
        max_replicas=most,
        flavors=tuple(FlavorOption(flavor, 1.0, 1, 1) for flavor in flavors),
        replicas=(ExistingReplica(flavors[0], 0, until),) * stuck,
    )


def problem(*services: ServiceProblem, cpu: float = 4.0, gpu: float = 0.0) -> Problem:
    """Flavors c (1 cpu) and m (1 cpu, 4 of memory) of pool main, e (1 cpu) of pool extra, which holds one."""
    return Problem(
        name="limits",
        step_s=300,
        steps=4,
        pools=(Pool("main", cpu, 16, gpu), Pool("extra", 1, 16)),
        flavors=(
            Flavor("c", "main", 1, 1, 1.0),
            Flavor("m", "main", 1, 4, 1.0),
            Flavor("e", "extra", 1, 1, 1.0),
        ),
        services=services,
    )


MAIN = "pool 'main' has cpu 4"


@pytest.mark.parametrize(
    ("posed", "limits"),
    [
        pytest.param(problem(service("a", 4, "c")), None, id="all fits"),
        pytest.param(problem(service("a", 9, "c")), None, id="a minimum without room does not bind"),
        pytest.param(
            problem(service("a", 3, "c"), service("b", 2, "c"), service("z", 1, "e")),
            [MAIN, "service 'a' has min_replicas 3", "service 'b' has min_replicas 2"],
            id="two minima and a pool",
        ),
        pytest.param(
            problem(service("a", 3, "c", "e"), service("b", 2, "c")), None, id="one of them goes elsewhere"
        ),
        pytest.param(
            problem(service("a", 3, "c", "e"), service("b", 3, "c", "e")),
            [
                MAIN,
                "pool 'extra' has cpu 1",
                "service 'a' has min_replicas 3",
                "service 'b' has min_replicas 3",
            ],
            id="two pools are too small together",
        ),
        pytest.param(
            problem(service("a", 0, "c", stuck=5)),
            [MAIN, "service 'a' holds replicas that may not be stopped yet: 5"],
            id="leases fill more than the pool",
        ),
        pytest.param(
            problem(service("a", 0, "c", stuck=3, most=2)),
            ["service 'a' holds replicas that may not be stopped yet: 3", "service 'a' has max_replicas 2"],
            id="leases above a maximum",
        ),
        pytest.param(
            problem(service("a", 3, "c", most=2)),
            ["service 'a' has min_replicas 3", "service 'a' has max_replicas 2"],
            id="a minimum above its maximum",
        ),
        pytest.param(
            problem(service("a", 2, "m"), service("b", 0, "m", stuck=1), service("d", 2, "m")),
            [
                "pool 'main' has memory_gib 16",
                "service 'a' has min_replicas 2",
                "service 'b' holds replicas that may not be stopped yet: 1",
                "service 'd' has min_replicas 2",
            ],
            id="one resource is enough to blame",
        ),
    ],
)
def test_the_limits_to_blame(posed: Problem, limits: list[str] | None) -> None:
    found = blame(posed)
    assert (None if found is None else [limit.text for limit in found.limits]) == limits


def test_a_minimum_that_begins_to_bind_late_is_blamed_at_its_step() -> None:
    waits = service("a", 3, "c"), service("b", 3, "c"), service("d", 0, "c", stuck=2, until=2)
    found = blame(problem(*waits))
    assert found is not None
    assert found.step == 2
    assert str(found).startswith("step 2: these cannot hold together: pool 'main' has cpu 4; service 'a' has")


def loosened(posed: Problem, found: Blame) -> list[Problem]:
    """The problem without each of the limits to blame."""
    problems = []
    for limit in found.limits:
        pools, services = posed.pools, posed.services
        if limit.kind == "pool":
            pools = tuple(Pool(p.name, 1e6, 1e6, 1e6) if p.name == limit.of else p for p in pools)
        else:
            change: dict[str, dict[str, object]] = {
                "minimum": {"min_replicas": 0},
                "maximum": {"max_replicas": 10**6},
                "lease": {"replicas": ()},
            }
            services = tuple(
                replace(s, **change[limit.kind]) if s.name == limit.of else s  # type: ignore[arg-type]  # by name
                for s in services
            )
        problems.append(replace(posed, pools=pools, services=services))
    return problems


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.05, 0.6))
def test_what_is_blamed_has_no_plan_and_loosening_any_of_it_ends_that_conflict(
    seed: int, scale: float
) -> None:
    made_up = random_problem(seed)
    tight = replace(
        made_up,
        pools=tuple(replace(p, cpu=p.cpu * scale, memory_gib=p.memory_gib * scale) for p in made_up.pools),
    )
    found = blame(tight)
    if found is None:
        return
    assert MipPlanner().plan(tight, REPEATABLE).status is PlanStatus.INFEASIBLE
    for easier in loosened(tight, found):
        after = blame(easier)
        assert after is None or after.limits != found.limits


class Refuses:
    name = "refuses"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        return Plan({}, PlanStatus.INFEASIBLE, self.name)


def test_the_planner_host_says_what_is_to_blame() -> None:
    crowded = replace(worked_example(), pools=(Pool("main", 0.5, 100),))
    plan = PlannerHost(Refuses(), PlanLimits()).solve(crowded)
    assert plan.status is PlanStatus.FAILED
    assert "step 0: these cannot hold together: pool 'main' has cpu 0.5; service 'web' holds" in plan.note


@pytest.mark.parametrize(
    ("wanted", "room", "packed"),
    [
        ((3.0, 3.0), (4.0, 1.0), 5.0),
        ((3.0, 3.0), (9.0, 9.0), 6.0),
        ((0.0, 3.0), (4.0, 1.0), 3.0),
        ((3.0, 0.0), (2.5, 0.25), 2.75),
        ((2.0, 2.0), (0.0, 0.0), 0.0),
        ((0.0, 0.0), (4.0, 1.0), 0.0),
    ],
)
def test_as_many_replicas_are_packed_as_fit(
    wanted: tuple[float, float], room: tuple[float, float], packed: float
) -> None:
    kinds = np.array([[True, True], [True, False]])
    takes = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert pack(np.array(wanted), kinds, takes, np.array(room)) == pytest.approx(packed)
