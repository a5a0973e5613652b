"""Plans with resizes in place: what they are, what they cost, and that they are found where they pay."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.plan.greedy import GreedyPlanner
from barista.plan.price import price
from barista.plan.vertical import vertical_first
from barista.testing.planners import random_problem
from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    FlavorPlan,
    Plan,
    PlanLimits,
    PlanStatus,
    Problem,
    ServiceProblem,
)

STEPS = 6
LIMITS = PlanLimits()


def problem(
    demand: Sequence[float],
    held: Sequence[str] = ("small",),
    *,
    cpu: float = 8,
    switching_cost: float = 0.0,
    lease_left: int = 0,
) -> Problem:
    """Steps of an hour; a replica serves 10 (small, 1 an hour) or 20 requests/s (large, 2), set up in 2."""
    options = tuple(FlavorOption(name, rps, 2, 3) for name, rps in (("small", 10.0), ("large", 20.0)))
    return Problem(
        name="family",
        step_s=3600,
        steps=STEPS,
        pools=(Pool("main", cpu, 64),),
        flavors=(
            Flavor("small", "main", 1, 1, 1.0, family="one"),
            Flavor("large", "main", 2, 1, 2.0, family="one"),
        ),
        services=(
            ServiceProblem(
                name="web",
                demand_rps=tuple(demand),
                shortfall_cost_per_request=1e-4,
                min_replicas=1,
                max_replicas=5,
                flavors=options,
                replicas=tuple(ExistingReplica(name, 0, lease_left) for name in held),
                switching_cost=switching_cost,
            ),
        ),
    )


def row(*values: int) -> tuple[int, ...]:
    return (*values, *[0] * (STEPS - len(values)))


def plan(**flavors: tuple[Sequence[int], ...]) -> Plan:
    by_flavor = {name: FlavorPlan(*(row(*series) for series in given)) for name, given in flavors.items()}
    return Plan({"web": by_flavor}, PlanStatus.OPTIMAL, "by hand", bound=1.0)


PEAK = (10, 10, 10, 20, 10, 10)
GROWN = plan(
    small=([0, 0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0, 1]),
    large=([0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1]),
)


def test_a_replica_grown_in_place_serves_at_once_and_is_given_back_without_a_lease() -> None:
    found = price(problem(PEAK), GROWN)
    assert found.violations == ()
    assert (found.provision_cost, found.shortfall_cost) == (7, 0)


@pytest.mark.parametrize(
    ("made", "violation"),
    [
        (plan(large=([0, 1], [], [0, 1])), "resize: service 'web', family 'one', step 1: 1 more resized"),
        (plan(large=([1], [], [0, 1]), small=([], [1])), "resized must be no more than start"),
        (
            plan(large=([0, 1], [], [0, 1]), small=([], [1])),
            "resize: service 'web', family 'one', step 1: 1 more resized",
        ),
    ],
)
def test_what_is_resized_stops_at_that_step(made: Plan, violation: str) -> None:
    found = price(problem(PEAK), made)
    assert any(violation in text for text in found.violations), found.violations


def test_a_replica_that_may_not_be_stopped_may_not_be_resized() -> None:
    assert "lease" in price(problem(PEAK, lease_left=5), GROWN).violations[0]


def test_flavors_of_two_pools_are_no_family() -> None:
    apart = problem(PEAK)
    small, large = apart.flavors
    apart = replace(
        apart, pools=(*apart.pools, Pool("other", 8, 8)), flavors=(small, replace(large, pool="other"))
    )
    assert "resize" in price(apart, GROWN).violations[0]


def test_a_short_peak_is_served_in_place_instead_of_by_a_start() -> None:
    started = plan(small=([0, 1], [0, 0, 0, 0, 1]))
    assert vertical_first(problem(PEAK), started).services == GROWN.services


def test_a_pool_without_room_for_growth_keeps_the_start_it_has_room_for() -> None:
    started = plan(small=([0, 1], [0, 0, 0, 0, 1]))
    assert price(problem(PEAK, cpu=2), started).feasible
    tight = problem(PEAK, held=("small", "small"), cpu=2)
    nothing = plan()
    assert vertical_first(tight, nothing).services == nothing.services


def test_a_start_that_replaces_a_stop_of_its_family_is_that_replica_when_it_is_needed() -> None:
    rising = (10, 10, 10, 20, 20, 20)
    replaced = plan(large=([0, 1], []), small=([], [0, 0, 0, 1]))
    better = vertical_first(problem(rising), replaced)
    assert better.services["web"] == {
        "small": FlavorPlan(row(), row(0, 0, 0, 1)),
        "large": FlavorPlan(row(0, 0, 0, 1), row(), row(0, 0, 0, 1)),
    }
    assert price(problem(rising), better).cost == 3 * 1 + 3 * 2


def test_shrinking_waits_until_the_larger_one_is_not_needed() -> None:
    falling = (20, 20, 10, 10, 10, 10)
    replaced = plan(small=([1], []), large=([], [0, 0, 1]))
    better = vertical_first(problem(falling, held=("large",)), replaced)
    assert better.services["web"]["small"].resized == row(0, 0, 1)
    assert price(problem(falling, held=("large",)), better).cost == 2 * 2 + 4 * 1


def test_a_change_in_place_has_to_pay_for_itself_too() -> None:
    lull = (20, 20, 10, 20, 20, 20)
    nothing = plan()
    assert vertical_first(problem(lull, held=("large",)), nothing).services != nothing.services
    dear = problem(lull, held=("large",), switching_cost=0.6)
    assert vertical_first(dear, nothing).services == nothing.services


def test_without_families_a_plan_stays_as_it_is() -> None:
    given_ = random_problem(2)
    made = GreedyPlanner().plan(given_, LIMITS)
    assert vertical_first(given_, made) is made


def test_out_of_time_a_plan_stays_feasible() -> None:
    started = plan(small=([0, 1], [0, 0, 0, 0, 1]))
    assert vertical_first(problem(PEAK), started, time_limit_s=0.0).services == started.services


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000_000),
    st.sampled_from([0.0, 0.002]),
    st.sampled_from([(), ((0.5, 1.0), (0.5, 3.0))]),
)
def test_no_plan_becomes_dearer_or_infeasible(
    seed: int, switching_cost: float, steps: tuple[tuple[float, float], ...]
) -> None:
    made_up = random_problem(seed)
    given_ = replace(
        made_up,
        flavors=tuple(replace(flavor, family=flavor.pool) for flavor in made_up.flavors),
        services=tuple(
            replace(service, switching_cost=switching_cost, shortfall_steps=steps)
            for service in made_up.services
        ),
    )
    made = GreedyPlanner().plan(given_, LIMITS)
    before, after = price(given_, made), price(given_, vertical_first(given_, made))
    assert after.violations == ()
    assert after.cost <= before.cost * (1 + 1e-9)
