"""The values that flow: what they refuse, and what they say of themselves."""

import numpy as np
import pytest
from core_world import CATALOGUE, NOW, make_forecast, make_service, make_view, replicas, situation
from hypothesis import given
from hypothesis import strategies as st

from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.forecast import Forecast
from barista.values.observation import Freshness, Observation, Reading
from barista.values.problem import Plan, PlanStatus
from barista.values.profile import Distribution
from barista.values.replica import Phase, count_by_flavor
from barista.values.series import Calendar, Demand
from barista.values.service import Service, ServiceId, Slo, service_id

LEVELS = (0.05, 0.5, 0.95)
SPREAD = Forecast(0, 10, (2, 3), LEVELS, ((0, 1), (2, 3), (6, 9)), "made-up")


@pytest.mark.parametrize(
    ("level", "row"),
    [
        (0.05, (0, 1)),
        (0.5, (2, 3)),
        (0.95, (6, 9)),
        (0.275, (1, 2)),
        (0.725, (4, 6)),
        (0.95 + 1e-10, (6, 9)),
    ],
)
def test_quantiles_between_stated_levels_are_interpolated(level: float, row: tuple[float, ...]) -> None:
    assert SPREAD.quantile(level) == pytest.approx(row)


@pytest.mark.parametrize("level", [0.01, 0.99])
def test_a_quantile_outside_the_stated_levels_is_not_made_up(level: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        SPREAD.quantile(level)


@pytest.mark.parametrize(
    ("start_s", "end_s", "peak"),
    [(0, 10, 1), (0, 11, 9), (10, 20, 9), (-50, -40, 1), (50, 60, 9), (0, 0, 1)],
)
def test_the_peak_is_the_largest_step_touched(start_s: float, end_s: float, peak: float) -> None:
    rising = Forecast(0, 10, (1, 9), (0.5,), ((1, 9),), "made-up")
    assert rising.peak(0.5, start_s, end_s) == peak


@pytest.mark.parametrize(
    ("forecast", "fault"),
    [
        (make_forecast(1, 2), None),
        (SPREAD, None),
        (Forecast(0, 10, (), (), (), "x"), "no steps"),
        (Forecast(0, 10, (1,), (0.5,), (), "x"), "1 levels but 0 quantile rows"),
        (Forecast(0, 10, (1,), (0.5, 0.5), ((1,), (1,)), "x"), "levels do not rise"),
        (Forecast(0, 10, (1, 1), (0.5,), ((1,),), "x"), "1 steps instead of 2"),
        (Forecast(0, 10, (float("nan"),), (0.5,), ((1,),), "x"), "mean: not finite"),
        (Forecast(0, 10, (1,), (0.5,), ((-1,),), "x"), "0.5: negative"),
        (Forecast(0, 10, (1,), (0.1, 0.9), ((2,), (1,)), "x"), "quantiles cross"),
    ],
)
def test_a_forecast_names_its_fault(forecast: Forecast, fault: str | None) -> None:
    found = forecast.fault()
    assert found is None if fault is None else fault in (found or "")


@pytest.mark.parametrize(
    ("age_s", "freshness"), [(0, Freshness.FRESH), (60, Freshness.FRESH), (61, Freshness.STALE)]
)
def test_a_reading_is_judged_by_its_age(age_s: float, freshness: Freshness) -> None:
    assert Reading.judged(3, NOW - age_s, NOW, 60) == Reading(3, NOW - age_s, freshness)


def test_missing_is_not_zero() -> None:
    nothing = Observation.missing(ServiceId("default/a"))
    assert nothing.demand_rps.value is None
    assert not nothing.demand_rps.is_fresh


def test_draining_replicas_are_given_up_already() -> None:
    a = ServiceId("default/a")
    there = replicas(a, {"small": 2}) + replicas(a, {"small": 1}, Phase.STARTING)
    leaving = replicas(a, {"small": 4, "large": 1}, Phase.DRAINING)
    assert count_by_flavor(there + leaving) == {"small": 3}


def test_a_family_shares_the_workers_of_its_largest_cpu() -> None:
    assert [CATALOGUE.workers(name) for name in ("tiny", "medium", "large")] == [2, 2, 4]
    assert CATALOGUE.same_family("tiny", "medium")
    assert not CATALOGUE.same_family("small", "large")
    assert not CATALOGUE.same_family("gone", "gone")


def test_errors_of_a_catalogue_name_what_is_known() -> None:
    with pytest.raises(KeyError, match="no such flavor; known: large, medium, small, tiny"):
        CATALOGUE.flavor("huge")
    with pytest.raises(ValueError, match="no such pool 'q'; known: p"):
        Catalogue({"p": Pool("p", 1, 1)}, {"f": Flavor("f", "q", 1, 1, 0)})


counts = st.dictionaries(st.sampled_from([*CATALOGUE.flavors, "gone"]), st.integers(0, 5))


@given(counts, counts)
def test_moves_in_place_take_what_is_there_and_give_what_is_wanted(
    current: dict[str, int], wanted: dict[str, int]
) -> None:
    left, missing = dict(current), dict(wanted)
    for before, after, count in CATALOGUE.moves_in_place(current, wanted):
        assert count > 0
        assert CATALOGUE.same_family(before, after)
        left[before] -= count
        missing[after] -= count
    for name in {*current, *wanted}:
        kept = min(current.get(name, 0), wanted.get(name, 0))
        assert left.get(name, 0) >= kept
        assert missing.get(name, 0) >= kept


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slo(0), "must be above 0"),
        (lambda: Slo(1, 95), "between 0 and 1"),
        (lambda: make_service(min_replicas=3, max_replicas=2), "need 0 <= min <= max"),
        (lambda: Service(service_id("n", "s"), "m", Slo(1), ()), "flavors is empty"),
        (lambda: Distribution((0.5,), (), 0), "need as many of both"),
        (lambda: Distribution((50, 95), (1, 2), 1), "levels are fractions"),
        (lambda: Distribution((0.5, 0.9), (1, float("nan")), 1), "must not fall"),
        (lambda: Distribution((0.5, 0.9), (2, 1), 1), "must not fall"),
        (lambda: Distribution.constant(-1), "negative time"),
        (lambda: Demand(0, 0, np.ones(2)), "must be above 0"),
        (lambda: Demand(0, 1, np.ones((2, 2))), "need one dimension"),
    ],
)
def test_values_refuse_what_makes_no_sense(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_an_slo_reads_as_people_say_it() -> None:
    assert str(Slo(0.25)) == "250 ms at p95"


def test_demand_is_cut_at_whole_steps() -> None:
    demand = Demand(100, 10, np.arange(6.0))
    assert demand.end_s == 160
    assert list(demand.until(139).values) == [0, 1, 2]
    assert list(demand.until(140).values) == [0, 1, 2, 3]
    assert len(demand.until(0)) == 0
    assert demand.last(2).start_s == 140
    assert list(demand.last(99).values) == list(demand.values)
    assert list(demand.times_s()) == [100, 110, 120, 130, 140, 150]


def test_a_compressed_calendar_reads_local_time_and_seasons_in_steps() -> None:
    # 2013-03-10 is the night on which New York puts its clocks forward, at 07:00 UTC.
    calendar = Calendar("America/New_York", rate=60, clock_s=1000, calendar_s=1362898800)
    local = calendar.local(np.array([1000.0, 1060.0]))
    assert [str(t) for t in local] == ["2013-03-10T03:00:00", "2013-03-10T04:00:00"]
    before = calendar.local(np.array([999.0]))
    assert str(before[0]) == "2013-03-10T01:59:00"
    assert calendar.season_steps(10) == (144, 1008)
    assert Calendar(seasons_s=(15.0,)).season_steps(10) == (2,)
    assert Calendar(seasons_s=(12.0,)).season_steps(10) == ()


def test_a_distribution_is_read_between_its_samples() -> None:
    times = Distribution.of([1.0, 2.0, 3.0])
    assert times.mean_s == 2
    assert times.quantile(0.5) == 2
    assert (times.quantile(-1), times.quantile(2)) == (1, 3)


def test_a_plan_knows_its_gap_and_whether_it_can_be_carried_out() -> None:
    assert Plan({}, PlanStatus.OPTIMAL, "x", cost=10, bound=9).gap == pytest.approx(0.1)
    assert Plan({}, PlanStatus.FEASIBLE, "x", cost=0, bound=0).gap == 0
    assert Plan({}, PlanStatus.OPTIMAL, "x", cost=1, bound=1.1).gap == 0
    assert Plan({}, PlanStatus.TIMED_OUT, "x").gap is None
    usable = [status for status in PlanStatus if Plan({}, status, "x").is_usable]
    assert usable == [PlanStatus.OPTIMAL, PlanStatus.FEASIBLE]


def test_a_situation_names_the_service_it_does_not_have() -> None:
    view = make_view({})
    assert situation(view).view(view.service.id) is view
    with pytest.raises(KeyError, match="service default/b: not in the situation"):
        situation(view).view(ServiceId("default/b"))
