"""Which quantile is bought, and what capacity that is not linear in the replicas does to a problem."""

from dataclasses import replace

import pytest
from core_world import CATALOGUE, HORIZON, NOW, PROFILES, make_forecast, make_service, make_view, situation
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.capacity.make import capacity_model
from barista.capacity.published import PublishedCapacity
from barista.plan.pooling import Pooling, pooling
from barista.plan.pose import pose
from barista.plan.quantile import purchase
from barista.values.forecast import Forecast
from barista.values.profile import Distribution
from barista.values.service import DispatchRule, Slo

LEVELS = (0.05, 0.5, 0.9, 0.99)
SMALL_COST = 0.10 / 3600 / 10
"""What one request/s more costs a request on the flavor `small`, the cheapest."""
MGC = capacity_model("mgc")


def spread(*mean: float) -> Forecast:
    rows = tuple(tuple(factor * x for x in mean) for factor in (0.5, 1.0, 1.5, 2.0))
    return Forecast(NOW, 10.0, mean, LEVELS, rows, "made-up")


@pytest.mark.parametrize(
    ("chosen", "level"),
    [
        ({"demand_quantile": 0.8}, 0.8),
        ({"demand_quantile": 0.8, "shortfall_cost_per_request": 1.0}, 0.8),
        ({"demand_quantile": None, "shortfall_cost_per_request": 10 * SMALL_COST}, 0.9),
        ({"demand_quantile": None, "shortfall_cost_per_request": 5 * SMALL_COST}, 0.8),
        ({"demand_quantile": None, "shortfall_cost_per_request": 1.0}, 0.99),
        ({"demand_quantile": None, "shortfall_cost_per_request": SMALL_COST}, 0.5),
        ({"demand_quantile": None, "shortfall_cost_per_request": 0.0}, 0.5),
        ({"demand_quantile": None, "shortfall_cost_per_request": None}, 0.95),
        ({"demand_quantile": None, "shortfall_cost_per_request": None, "slo": Slo(0.5, 0.999)}, 0.99),
    ],
)
def test_the_quantile_follows_from_what_shortage_and_capacity_cost(
    chosen: dict[str, object], level: float
) -> None:
    slo = chosen.pop("slo", Slo(0.5))
    service = replace(make_service(**chosen), slo=slo)
    bought = purchase(make_view({}, service), spread(30.0), CATALOGUE, PublishedCapacity())
    assert bought.level == pytest.approx(level)
    assert bought.level <= service.highest_level + 1e-12


def test_a_level_that_the_forecaster_does_not_state_is_not_made_up() -> None:
    service = make_service(demand_quantile=None, shortfall_cost_per_request=1.0)
    forecast = make_forecast(5.0)  # states up to 0.95
    assert purchase(make_view({}, service), forecast, CATALOGUE, PublishedCapacity()).level == 0.95


def test_a_shortage_cost_nobody_gave_makes_one_request_in_twenty_as_dear_as_serving_twenty() -> None:
    service = make_service(demand_quantile=None, shortfall_cost_per_request=None)
    bought = purchase(make_view({}, service), spread(30.0), CATALOGUE, PublishedCapacity())
    assert bought.shortfall_cost_per_request == pytest.approx(20 * SMALL_COST)


def test_a_service_with_next_to_no_demand_is_still_worth_a_replica() -> None:
    service = make_service(demand_quantile=None, shortfall_cost_per_request=None)
    bought = purchase(make_view({}, service), spread(0.01), CATALOGUE, PublishedCapacity())
    assert bought.shortfall_cost_per_request * 0.01 > 0.10 / 3600


@given(st.lists(st.floats(0.1, 300), min_size=1, max_size=6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_whole_replicas_cover_a_step_of_the_problem_when_together_they_serve_it(
    rps: list[float], most: int
) -> None:
    service = make_service(flavors=("small",), max_replicas=most)
    view = make_view({}, service)
    problem = pose(
        situation(view), {service.id: make_forecast(*rps)}, NOW, replace(HORIZON, steps=len(rps)), MGC
    )
    (option,) = problem.services[0].flavors
    for asked, demand in zip(rps, problem.services[0].demand_rps, strict=True):
        needed = next((n for n in range(1, most + 1) if together(n) >= asked), None)
        posed = next((n for n in range(1, most + 1) if n * option.rps >= demand * (1 - 1e-9)), None)
        if needed is not None and posed is not None and needed <= 4:
            assert posed == needed  # up to here every number of replicas is worked out
        elif needed is not None:
            assert posed is not None
            assert posed == pytest.approx(needed, abs=1)
        assert demand >= asked


def together(count: int) -> float:
    return MGC.rps(PROFILES["small"], Slo(0.5), DispatchRule.LEAST_LOADED, count)


def test_capacity_that_is_linear_leaves_the_demand_as_it_is() -> None:
    service = make_service(flavors=("small",))
    view = make_view({}, service)
    problem = pose(situation(view), {service.id: make_forecast(3, 17, 44)}, NOW, HORIZON, PublishedCapacity())
    assert problem.services[0].demand_rps[:3] == pytest.approx((3, 17, 44))


def test_past_the_most_replicas_each_serves_no_more() -> None:
    pooled = pooling(MGC, PROFILES["small"], Slo(0.5), DispatchRule.LEAST_LOADED)
    each = together(3) / 3
    assert pooled.rps_each(1000.0, 3) == pytest.approx(each)
    assert pooled.replicas_for(1000.0, 3) == pytest.approx(1000 / each)


def test_what_other_services_asked_for_before_changes_nothing() -> None:
    fresh, used = (Pooling(MGC, PROFILES["small"], Slo(0.5), DispatchRule.RANDOM) for _ in range(2))
    used.rps_each(500.0, 100)
    for most in (1, 5, 7, 40):
        for rps in (3.0, 41.0, 90.0):
            assert used.rps_each(rps, most) == fresh.rps_each(rps, most)
            assert used.replicas_for(rps, most) == fresh.replicas_for(rps, most)


def test_a_flavor_that_cannot_meet_the_slo_has_no_number_of_replicas() -> None:
    pooled = Pooling(MGC, PROFILES["tiny"], Slo(0.5), DispatchRule.RANDOM)
    assert pooled.rps_each(5.0, 10) == 0
    with pytest.raises(ValueError, match="net on tiny: cannot meet 500 ms at p95"):
        pooled.replicas_for(5.0, 10)


def test_a_thousand_services_are_posed_anew_from_what_is_known() -> None:
    calls = []

    class Counting:
        def rps(self, profile: object, slo: Slo, dispatch: DispatchRule, replicas: int) -> float:
            calls.append(replicas)
            return 10.0 * replicas

    model, profile = Counting(), replace(PROFILES["small"], service_time=Distribution.constant(0.09))
    for _ in range(2):
        for rps in (5.0, 35.0, 12.0):
            pooling(model, profile, Slo(0.5), DispatchRule.RANDOM).rps_each(rps, 10)
    assert calls == [1, 2, 3, 4]
