"""One service's compiled branch and bound, beside scipy on PROBLEM.md's cumulative formulation."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, milp

from barista.testing.planners import random_problem
from barista.values.problem import Problem
from barista_plugins.cbc import Budget
from barista_plugins.crew import Crew, Found
from barista_plugins.packed import Packed, PackedProblem

SEEDS = range(0, 60, 2)


def one_service(seed: int) -> Problem:
    problem = random_problem(seed)
    return replace(problem, services=problem.services[:1])


def searched(
    packed: PackedProblem, prices: Any, nodes: int, known: float = math.inf, gap: float = 0.0
) -> Found:
    nowhere_full = np.full_like(packed.room, np.inf)
    return Crew(packed.arrays).search(
        [0],
        prices,
        nowhere_full,
        np.array([nodes]),
        np.array([gap]),
        np.array([known]),
        Budget(None, 0.0, None),
    )


def by_scipy(p: Packed, prices: Any) -> float:
    """The least cost of the service: starts u, stops v by option and step, unserved z by step."""
    steps, options = p.demand.shape[1], len(p.rps)
    lower = np.tril(np.ones((steps, steps)))
    cost, anyway = np.zeros((2 * options + 1, steps)), 0.0
    cost[-1] = p.lost[0]
    rows: list[tuple[Any, Any, Any]] = []
    paid, served = np.zeros((steps, (2 * options + 1) * steps)), np.zeros((steps, (2 * options + 1) * steps))
    there, serving = np.zeros(steps), np.zeros(steps)
    for o in range(options):
        price = p.step_cost[o] + (prices * p.takes[o][:, None]).sum(axis=0)
        u, v = slice(o * steps, (o + 1) * steps), slice((options + o) * steps, (options + o + 1) * steps)
        free = np.cumsum(p.freed[o])
        # All that exist are stuck, until they are free for good.
        existing, ready = p.stuck[o] + free, p.stuck_ready[o] + free
        cost[o], cost[options + o] = price @ lower, -(price @ lower)
        anyway += float(price @ existing)
        late = [np.eye(steps, k=-int(delay)) @ lower for delay in (p.hold[o], p.setup[o])]
        lease = np.zeros_like(paid)
        lease[:, v], lease[:, u] = lower, -late[0]
        rows.append((lease, -np.inf, free))
        paid[:, u], paid[:, v] = lower, -lower
        served[:, u], served[:, v] = p.rps[o] * late[1], -p.rps[o] * lower
        there, serving = there + existing, serving + p.rps[o] * ready
    served[:, 2 * options * steps :] = np.eye(steps)
    least = np.where(np.arange(steps) >= p.binds_from[0], p.minimum[0], 0)
    rows += [(served, p.demand[0] - serving, np.inf), (paid, least - there, p.maximum[0] - there)]
    whole = np.repeat([1, 0], [2 * options * steps, steps])
    found = milp(
        cost.ravel(),
        integrality=whole,
        constraints=[LinearConstraint(*row) for row in rows],
        options={"mip_rel_gap": 0.0},
    )
    return float(found.fun) + anyway if found.success else math.inf


def setting(seed: int) -> tuple[PackedProblem, Any]:
    packed = PackedProblem(one_service(seed))
    rng = np.random.default_rng(seed)
    return packed, rng.uniform(0, 0.3, packed.room.shape) * (rng.random(packed.room.shape) < 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_with_nodes_enough_it_is_the_least_that_scipy_finds(seed: int) -> None:
    packed, prices = setting(seed)
    found, least = searched(packed, prices, 5000), by_scipy(packed.arrays, prices)
    assert found.cost[0] == pytest.approx(least, rel=1e-6, abs=1e-6)
    assert found.bound[0] == pytest.approx(least, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("nodes", [0, 1, 5, 20])
@pytest.mark.parametrize("seed", [0, 4, 8])
def test_stopped_early_its_bound_holds_and_its_plan_costs_no_less(seed: int, nodes: int) -> None:
    packed, prices = setting(seed)
    found, least = searched(packed, prices, nodes), by_scipy(packed.arrays, prices)
    assert found.bound[0] <= least + 1e-6
    assert found.cost[0] >= least - 1e-6


@pytest.mark.parametrize("seed", [0, 4, 8])
def test_where_the_best_is_known_already_it_is_proven_and_no_other_plan_told(seed: int) -> None:
    packed, prices = setting(seed)
    least = by_scipy(packed.arrays, prices)
    found = searched(packed, prices, 5000, known=least - 1e-3)
    assert math.isinf(found.cost[0])
    assert found.bound[0] == pytest.approx(least - 1e-3, rel=1e-6)
