"""From a situation to the planning problem: anchoring, rounding, and what may take part."""

from dataclasses import replace

import pytest
from core_world import (
    CATALOGUE,
    HORIZON,
    NOW,
    PROFILES,
    make_forecast,
    make_service,
    make_view,
    replicas,
    situation,
)
from hypothesis import given
from hypothesis import strategies as st

from barista.capacity.published import PublishedCapacity
from barista.plan.fairness import PROPORTIONAL
from barista.plan.pose import Horizon, anchored_demand, pose
from barista.values.flavor import Catalogue, Pool
from barista.values.problem import ExistingReplica, FlavorOption, Problem, ServiceProblem
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import Phase
from barista.values.service import Service, ServiceId
from barista.values.situation import ServiceView

A = ServiceId("default/a")


def posed(*views: ServiceView, catalogue: Catalogue = CATALOGUE) -> Problem:
    forecasts = {view.service.id: make_forecast(5, 25) for view in views}
    return pose(situation(*views, catalogue=catalogue), forecasts, NOW, HORIZON, PublishedCapacity())


def service_of(view: ServiceView) -> ServiceProblem:
    (found,) = posed(view).services
    return found


@pytest.mark.parametrize(
    ("origin_s", "demand"),
    [
        (0, (1, 2, 3, 3, 3, 3)),
        (-10, (2, 3, 3, 3, 3, 3)),
        (-5, (2, 3, 3, 3, 3, 3)),  # a step over two steps needs the larger
        (-100, (3, 3, 3, 3, 3, 3)),
        (10, (1, 1, 2, 3, 3, 3)),
        (5, (1, 2, 3, 3, 3, 3)),
        (1e-7, (1, 2, 3, 3, 3, 3)),
    ],
)
def test_demand_is_anchored_at_now(origin_s: float, demand: tuple[float, ...]) -> None:
    forecast = make_forecast(1, 2, 3, origin=NOW + origin_s)
    assert anchored_demand(forecast, 0.95, NOW, HORIZON) == demand


def test_a_step_longer_than_the_forecasts_needs_the_largest_it_touches() -> None:
    forecast = make_forecast(1, 9, 2, 3, 4, 5, step=5)
    assert anchored_demand(forecast, 0.5, NOW, Horizon(10, 4)) == (9, 3, 5, 5)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=9),
    st.floats(-500, 500),
    st.sampled_from([3.0, 10.0, 45.0]),
)
def test_anchored_demand_is_never_below_the_forecast_at_any_moment(
    rps: list[float], origin_s: float, step_s: float
) -> None:
    forecast = make_forecast(*rps, origin=NOW + origin_s, step=step_s)
    for step, demand in enumerate(anchored_demand(forecast, 0.95, NOW, HORIZON)):
        middle_s = NOW + (step + 0.5) * HORIZON.step_s
        at = min(max(int((middle_s - forecast.origin_s) // step_s), 0), len(rps) - 1)
        assert demand >= rps[at]


def test_a_service_is_posed_with_the_flavors_that_can_meet_its_slo() -> None:
    view = make_view({}, make_service(flavors=("tiny", "medium", "small"), lease_s=25, min_replicas=1))
    assert service_of(view) == ServiceProblem(
        name=A,
        demand_rps=(5, 25, 25, 25, 25, 25),
        shortfall_cost_per_request=1e-4,
        min_replicas=1,
        max_replicas=10,
        flavors=(FlavorOption("medium", 20, 2, 3), FlavorOption("small", 10, 2, 3)),
        replicas=(),
    )


@pytest.mark.parametrize(
    ("phase", "ready_in_s", "lease_left_s", "existing"),
    [
        (Phase.READY, None, -100, ExistingReplica("small", 0, 0)),
        (Phase.READY, -50, 11, ExistingReplica("small", 0, 2)),
        (Phase.STARTING, 11, -1, ExistingReplica("small", 2, 0)),
        (Phase.STARTING, 10, 30, ExistingReplica("small", 1, 3)),
        (Phase.STARTING, -5, 0, ExistingReplica("small", 1, 0)),
        (Phase.STARTING, None, 0, ExistingReplica("small", 2, 0)),
        (Phase.DRAINING, None, 99, None),
    ],
)
def test_replicas_are_ready_and_free_after_whole_steps(
    phase: Phase, ready_in_s: float | None, lease_left_s: float, existing: ExistingReplica | None
) -> None:
    (one,) = replicas(A, {"small": 1}, phase)
    one = replace(
        one, ready_at_s=None if ready_in_s is None else NOW + ready_in_s, lease_until_s=NOW + lease_left_s
    )
    found = service_of(replace(make_view({}), replicas=(one,)))
    assert found.replicas == (() if existing is None else (existing,))


def test_replicas_on_flavors_out_of_use_take_no_part_but_their_room() -> None:
    view = make_view({"tiny": 2, "medium": 1, "small": 1, "gone": 1}, make_service(flavors=("tiny", "small")))
    problem = posed(view)
    assert [r.flavor for r in problem.services[0].replicas] == ["small"]
    assert problem.pools[0] == Pool("shared", 10 - 2 * 0.5 - 2, 40 - 2 - 1)
    assert problem.pools[1] == CATALOGUE.pools["big"]


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(make_view(None), id="replicas unknown"),
        pytest.param(make_view({"small": 1}, profiles={}), id="never measured"),
        pytest.param(make_view({"tiny": 1}, make_service(flavors=("tiny",))), id="no flavor meets the SLO"),
    ],
)
def test_a_service_that_cannot_be_planned_is_left_out(view: ServiceView) -> None:
    assert posed(view).services == ()


def test_a_service_without_a_forecast_is_left_out_and_keeps_its_room() -> None:
    known, unknown = make_view({"small": 1}), make_view({"small": 4}, make_service("b"))
    given_ = situation(known, unknown)
    problem = pose(given_, {A: make_forecast(5)}, NOW, HORIZON, PublishedCapacity())
    assert [s.name for s in problem.services] == [A]
    assert problem.pools[0].cpu == 6


def test_what_cannot_be_stopped_yet_never_makes_a_problem_infeasible() -> None:
    tight = Catalogue({**CATALOGUE.pools, "shared": Pool("shared", 2, 2)}, CATALOGUE.flavors)
    view = make_view({"small": 1}, make_service(max_replicas=2), starting={"small": 3})
    problem = posed(view, catalogue=tight)
    assert problem.services[0].max_replicas == 3
    assert (problem.pools[0].cpu, problem.pools[0].memory_gib) == (3, 3)


def test_a_change_costs_so_many_steps_of_the_cheapest_flavor() -> None:
    view = make_view({}, make_service(flavors=("large", "medium", "small")))
    problem = pose(situation(view), {A: make_forecast(5)}, NOW, HORIZON, PublishedCapacity(), 1.5)
    assert problem.services[0].switching_cost == pytest.approx(1.5 * 0.10 * 10 / 3600)
    assert posed(view).services[0].switching_cost == 0


def test_priority_weighs_what_a_lost_request_costs() -> None:
    view = make_view({}, make_service(priority=3.0, shortfall_cost_per_request=1e-4))
    assert service_of(view).shortfall_cost_per_request == pytest.approx(3e-4)


def test_where_a_pool_is_too_small_the_share_unserved_raises_its_price() -> None:
    view = make_view({}, make_service(flavors=("small",), max_replicas=100))
    tight = Catalogue({**CATALOGUE.pools, "shared": Pool("shared", 2, 40)}, CATALOGUE.flavors)
    assert posed(view).services[0].shortfall_steps == ()
    assert posed(view, catalogue=tight).services[0].shortfall_steps == PROPORTIONAL


def profile(setup_s: float) -> ExecutionProfile:
    return replace(PROFILES["small"], setup_time=Distribution.constant(setup_s))


@pytest.mark.parametrize(
    ("setups_s", "lease_s", "step_s", "steps"),
    [
        ([], 0, 300, 12),
        ([20, 40], 0, 20, 12),
        ([19.2], 0, 20, 12),
        ([2.5], 0, 10, 12),
        ([0], 0, 10, 12),
        ([900], 0, 300, 12),
        ([20], 3600, 20, 182),
        ([10, 300], 0, 10, 31),
    ],
)
def test_the_horizon_spans_set_up_and_lease(
    setups_s: list[float], lease_s: float, step_s: float, steps: int
) -> None:
    assert Horizon.spanning(map(profile, setups_s), lease_s) == Horizon(step_s, steps)


def test_the_service_of_a_problem_is_named_by_its_identity() -> None:
    service: Service = make_service("b")
    assert service_of(make_view({}, service)).name == "default/b"
