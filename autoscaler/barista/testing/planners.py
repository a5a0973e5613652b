"""The contract of a planner, for its author to run.

    from barista.testing.planners import check_planner
    check_planner(MyPlanner())
    check_planner(MyPlanner(), range(5000))     # the same on thousands of problems

Every clause is an assertion on small random problems that come from seeds: what fails once fails again,
and its problem can be made anew by `random_problem(seed)`. What a plan is worth is judged by
`barista.plan.price`, which knows no planner.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from barista.plan.fairness import PROPORTIONAL
from barista.plan.greedy import GreedyPlanner
from barista.plan.price import price
from barista.ports.planner import Planner
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

REPEATABLE = PlanLimits(time_limit_s=None, gap=1e-4, node_limit=2000)
"""Limits that do not depend on the machine."""
SMALL = range(24)


def check_planner(
    planner: Planner, seeds: Iterable[int] = SMALL, *, never_above_greedy: bool = False
) -> None:
    """Check every clause of the contract; `never_above_greedy` for planners that promise it."""
    for seed in seeds:
        problem = random_problem(seed)
        plan = check_plan(planner, problem, never_above_greedy=never_above_greedy)
        check_more_demand(planner, problem, plan, seed)
        check_beyond_benchmark(planner, problem, seed)
    check_infeasible(planner)
    check_empty(planner)


def check_plan(planner: Planner, problem: Problem, *, never_above_greedy: bool = False) -> Plan:
    """A plan can be carried out, costs what it says, and never less than its bound; twice the same."""
    plan = planner.plan(problem, REPEATABLE)
    where = f"{planner.name} on {problem.name}"
    assert plan.is_usable, f"{where}: {plan.status}: {plan.note}"
    found = price(problem, plan)
    assert found.feasible, f"{where}: {found.violations[0]}"
    assert plan.cost is not None, f"{where}: no cost"
    assert math.isclose(plan.cost, found.cost, rel_tol=1e-5, abs_tol=1e-6), (
        f"{where}: says it costs {plan.cost}, costs {found.cost}"
    )
    if plan.bound is not None:
        assert plan.bound <= found.cost + 1e-6 * max(1.0, found.cost), (
            f"{where}: bound {plan.bound} is above the cost {found.cost}"
        )
    assert all(spent >= 0 for spent in plan.seconds.values()), f"{where}: seconds {plan.seconds}"
    again = planner.plan(problem, REPEATABLE)
    assert again.services == plan.services, f"{where}: another plan the second time"
    if never_above_greedy:
        greedy = GreedyPlanner().plan(problem, REPEATABLE)
        assert greedy.cost is None or plan.cost <= greedy.cost * (1 + REPEATABLE.gap) + 1e-9, (
            f"{where}: costs {plan.cost}, greedy {greedy.cost}"
        )
    return plan


def check_more_demand(planner: Planner, problem: Problem, plan: Plan, seed: int) -> None:
    """Serving more never costs less than `plan`, made for `problem`, proves that serving it costs."""
    rng = np.random.default_rng(seed)
    services = tuple(
        replace(service, demand_rps=tuple(rps * float(rng.uniform(1, 1.5)) for rps in service.demand_rps))
        for service in problem.services
    )
    more = replace(problem, services=services)
    found = price(more, planner.plan(more, REPEATABLE))
    assert plan.bound is None or found.cost >= plan.bound - 1e-6 * max(1.0, plan.bound), (
        f"{planner.name} on {problem.name}: bound {plan.bound}, but more demand costs {found.cost}"
    )


def check_beyond_benchmark(planner: Planner, problem: Problem, seed: int) -> None:
    """With the fields that PROBLEM.md does not know a plan can be carried out, and its bound holds.

    A planner need not heed them: the host prices its plan again.
    """
    dearer = beyond_benchmark(problem, seed)
    plan = planner.plan(dearer, REPEATABLE)
    where = f"{planner.name} on {dearer.name}"
    assert plan.is_usable, f"{where}: {plan.status}: {plan.note}"
    found = price(dearer, plan)
    assert found.feasible, f"{where}: {found.violations[0]}"
    assert plan.bound is None or plan.bound <= found.cost + 1e-6 * max(1.0, found.cost), (
        f"{where}: bound {plan.bound} is above the cost {found.cost}"
    )


def check_infeasible(planner: Planner) -> None:
    """A problem without a plan is a result, not an error."""
    problem = random_problem(0)
    crowded = replace(problem, pools=tuple(replace(pool, cpu=0.5) for pool in problem.pools))
    replica = ExistingReplica(problem.services[0].flavors[0].flavor, ready_in=0, lease_left=problem.steps)
    services = (replace(problem.services[0], replicas=(replica,)), *problem.services[1:])
    plan = planner.plan(replace(crowded, services=services), REPEATABLE)
    assert not plan.is_usable, f"{planner.name}: {plan.status} where nothing fits"
    assert plan.status in (PlanStatus.INFEASIBLE, PlanStatus.TIMED_OUT, PlanStatus.FAILED)


def check_empty(planner: Planner) -> None:
    """Without services there is nothing to do, and it is free."""
    plan = planner.plan(replace(random_problem(0), services=()), REPEATABLE)
    assert plan.is_usable, f"{planner.name}: {plan.status} for a problem without services"
    assert not any(plan.services.values())
    assert plan.cost == 0


def random_problem(seed: int) -> Problem:
    """A small feasible problem: 1–3 services, 1–4 flavors in 2 pools, 4–10 steps.

    Odd seeds have pools in which the services compete.
    """
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(4, 11))
    flavors = tuple(
        Flavor(
            name=f"f{i}",
            pool=f"pool{i % 2}",
            cpu=float(cpu),
            memory_gib=float(2 * cpu),
            cost_per_hour=round(float(0.05 * cpu * rng.uniform(0.9, 1.1)), 4),
        )
        for i, cpu in enumerate(rng.choice([1, 2, 3, 4, 8], size=rng.integers(1, 5)))
    )
    services = tuple(_random_service(rng, f"s{i}", steps, flavors) for i in range(rng.integers(1, 4)))
    return Problem(
        f"random-{seed}", 300.0, steps, _pools(services, flavors, seed % 2 == 1), flavors, services
    )


def beyond_benchmark(problem: Problem, seed: int) -> Problem:
    """`problem` with switching costs and steps of shortfall, some of each."""
    rng = np.random.default_rng(seed)
    services = tuple(
        replace(
            service,
            switching_cost=float(rng.choice([0.0, 1e-3, 1e-2])),
            shortfall_steps=((), PROPORTIONAL, ((0.5, 1.0), (0.5, 3.0)))[int(rng.integers(3))],
        )
        for service in problem.services
    )
    return replace(problem, name=f"{problem.name}-beyond", services=services)


def _random_service(
    rng: np.random.Generator, name: str, steps: int, flavors: tuple[Flavor, ...]
) -> ServiceProblem:
    usable = [flavor for flavor in flavors if rng.random() < 0.8] or [flavors[0]]
    options = tuple(
        FlavorOption(
            flavor=flavor.name,
            rps=round(float(flavor.cpu * rng.uniform(3.0, 6.0)), 2),
            setup_steps=int(rng.integers(0, 4)),
            lease_steps=int(rng.integers(0, 5)),
        )
        for flavor in usable
    )
    demand = rng.uniform(0, 60) * rng.uniform(0.3, 1.0, steps)
    demand[int(rng.integers(steps)) :] *= rng.uniform(0.0, 2.0)
    replicas = tuple(
        ExistingReplica(option.flavor, int(rng.integers(0, 3)), int(rng.integers(0, 5)))
        for option in options
        for _ in range(rng.integers(0, 3))
    )
    minimum = int(rng.integers(0, 3))
    return ServiceProblem(
        name=name,
        demand_rps=tuple(round(float(value), 2) for value in demand),
        shortfall_cost_per_request=float(rng.choice([0.0, 1e-6, 2e-5, 2e-4])),
        min_replicas=minimum,
        max_replicas=max(minimum, len(replicas)) + int(rng.integers(1, 12)),
        flavors=options,
        replicas=replicas,
    )


def _pools(
    services: tuple[ServiceProblem, ...], flavors: tuple[Flavor, ...], tight: bool
) -> tuple[Pool, ...]:
    """Pools that hold what exists and every minimum on any flavor; roomy ones hold much more."""
    cpu = {flavor.name: flavor.cpu for flavor in flavors}
    held = sum(cpu[replica.flavor] for service in services for replica in service.replicas)
    minima = sum(
        service.min_replicas * max(cpu[option.flavor] for option in service.flavors) for service in services
    )
    size = held + minima + (2.0 if tight else 500.0)
    return tuple(Pool(name, cpu=size, memory_gib=2 * size) for name in ("pool0", "pool1"))


def worked_example() -> Problem:
    """The planning benchmark's worked example (PROBLEM.md); its cheapest plan costs 0.095."""
    return Problem(
        name="worked-example",
        step_s=300.0,
        steps=3,
        pools=(Pool("main", cpu=5.0, memory_gib=100.0),),
        flavors=(
            Flavor("small", "main", cpu=1.0, memory_gib=1.0, cost_per_hour=0.12),
            Flavor("large", "main", cpu=4.0, memory_gib=1.0, cost_per_hour=0.36),
        ),
        services=(
            ServiceProblem(
                name="web",
                demand_rps=(10.0, 20.0, 35.0),
                shortfall_cost_per_request=1e-5,
                min_replicas=1,
                max_replicas=5,
                flavors=(
                    FlavorOption("small", rps=10.0, setup_steps=1, lease_steps=2),
                    FlavorOption("large", rps=40.0, setup_steps=1, lease_steps=2),
                ),
                replicas=(ExistingReplica("small", ready_in=0, lease_left=2),),
            ),
        ),
    )
