"""Plans do not flap: over a rolling horizon a change has to pay for itself."""

from dataclasses import replace

import numpy as np
import pytest

from barista.plan.auto import AutoPlanner
from barista.plan.price import price
from barista.testing.planners import REPEATABLE
from barista.values.flavor import Flavor, Pool
from barista.values.problem import ExistingReplica, FlavorOption, Problem, ServiceProblem

CYCLES, STEPS, STEP_COST = 10, 12, 0.01
HELD = 10


def posed(demand: tuple[float, ...], replicas: tuple[ExistingReplica, ...], switching_cost: float) -> Problem:
    """A replica serves 10 requests/s and is set up in a step of a minute, which costs `STEP_COST`."""
    return Problem(
        name="rolling",
        step_s=60.0,
        steps=STEPS,
        pools=(Pool("main", 100, 100),),
        flavors=(Flavor("one", "main", 1, 1, 60 * STEP_COST),),
        services=(
            ServiceProblem(
                name="web",
                demand_rps=demand,
                shortfall_cost_per_request=1e-4,
                min_replicas=1,
                max_replicas=30,
                flavors=(FlavorOption("one", 10.0, 1, 0),),
                replicas=replicas,
                switching_cost=switching_cost,
            ),
        ),
    )


def changes(switching_cost: float, seed: int) -> int:
    """Starts and stops carried out in ten cycles of 99 requests/s with an uncertainty of 5 %."""
    rng = np.random.default_rng(seed)
    replicas = (ExistingReplica("one", 0, 0),) * HELD
    carried_out = 0
    for _ in range(CYCLES):
        demand = tuple((99 * (1 + rng.uniform(-0.05, 0.05, STEPS))).tolist())
        problem = posed(demand, replicas, switching_cost)
        plan = AutoPlanner().plan(problem, REPEATABLE)
        assert plan.cost == pytest.approx(price(problem, plan).cost)
        now = plan.services["web"]["one"]
        started, stopped = now.start[0], now.stop[0]
        carried_out += started + stopped
        kept = sorted(replicas, key=lambda replica: replica.ready_in)[stopped:]
        held = (*kept, *[ExistingReplica("one", 1, 0)] * started)
        replicas = tuple(replace(replica, ready_in=max(0, replica.ready_in - 1)) for replica in held)
    return carried_out


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_noise_moves_a_plan_only_where_changes_are_free(seed: int) -> None:
    assert changes(0.0, seed) > 0
    assert changes(STEP_COST, seed) == 0
