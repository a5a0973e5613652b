"""Stories of the host: whatever a forecaster does, its service loses foresight at most."""

import time

import numpy as np
import pytest
from faulty_forecasters import make

from barista.forecast.host import ForecasterHost
from barista.ports.forecaster import ForecastContext
from barista.values.series import Calendar, Demand
from barista.values.service import PluginChoice, ServiceId, Slo
from barista.values.service import Service as ServiceValue
from barista.workers import Inline, KillingPool

STEP_S = 10.0
CONTEXT = ForecastContext(calendar=Calendar(seasons_s=(20 * STEP_S,)), steps=3)
HISTORY = np.tile(np.arange(20.0), 2)
END_S = 1000.0


def service(forecaster, name="a"):
    return ServiceValue(
        ServiceId(f"ns/{name}"), "m", Slo(0.2), ("cpu-1",), forecaster=PluginChoice(forecaster)
    )


def demand(values, end_s=END_S):
    values = np.array(values, dtype=float)
    return Demand(end_s - len(values) * STEP_S, STEP_S, values)


def host(executor=None, **limits):
    return ForecasterHost(make, CONTEXT, STEP_S, executor or Inline(), **limits)


def learned(forecaster, **limits):
    one, its = host(**limits), service(forecaster)
    one.learn(its, demand(HISTORY), END_S)
    one.collect(END_S)
    return one, its


def foreseen(one, its, now_s=END_S):
    return one.foresee([its], now_s).get(its.id)


def until(done, seconds=30.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.05)


def test_nothing_ever_seen_is_no_forecast():
    assert host().foresee([service("Honest")], END_S) == {}


def test_gaps_alone_are_nothing_seen():
    one, its = host(), service("Honest")
    one.observe(its.id, demand([np.nan] * 5))
    assert foreseen(one, its) is None


def test_one_value_seen_is_forecast_by_the_last_rung():
    one, its = host(), service("Honest")
    one.observe(its.id, demand([7]))
    assert foreseen(one, its).made_by == "last-value"


def test_before_the_fit_seasonal_naive_stands_in():
    one, its = host(), service("Honest")
    one.observe(its.id, demand(HISTORY))
    made = foreseen(one, its)
    assert (made.made_by, made.mean) == ("seasonal-naive", (0, 1, 2))


def test_after_the_fit_the_chosen_one_speaks_and_follows_what_is_observed():
    one, its = learned("Honest")
    assert foreseen(one, its).made_by == "honest"
    one.observe(its.id, demand([18, 19, 5, 6], end_s=END_S + 2 * STEP_S))
    made = foreseen(one, its, END_S + 2 * STEP_S)
    assert (made.made_by, made.mean, made.origin_s) == ("honest", (6, 6, 6), END_S + 20)
    assert one.health() == {}


@pytest.mark.parametrize("rung", ["last-value", "seasonal-naive"])
def test_a_rung_can_be_chosen_and_needs_no_fit(rung):
    one, its = learned(rung)
    assert foreseen(one, its).made_by == rung


def test_a_fit_on_an_older_history_is_caught_up_with_what_was_observed_since():
    one, its = host(), service("Honest")
    one.observe(its.id, demand([*HISTORY, 7, 8]))
    one.learn(its, demand(HISTORY, end_s=END_S - 2 * STEP_S), END_S)
    one.collect(END_S)
    made = foreseen(one, its)
    assert (made.made_by, made.mean) == ("honest", (8, 8, 8))


def test_without_news_the_forecast_still_begins_now_and_news_are_taken_when_they_come():
    one, its = learned("Honest")
    late_s = END_S + 5 * STEP_S
    assert foreseen(one, its, late_s).origin_s == late_s
    one.observe(its.id, demand([40] * 6, end_s=late_s))
    assert foreseen(one, its, late_s).mean == (40, 40, 40)


def test_another_choice_is_not_answered_by_the_state_of_the_former():
    one, its = learned("Honest")
    assert foreseen(one, service("SaysNothing")).made_by == "seasonal-naive"
    assert foreseen(one, its).made_by == "honest"


@pytest.mark.parametrize(
    ("forecaster", "fault"),
    [
        ("RefusesToFit", "need more"),
        ("Crosses", "quantiles cross"),
        ("SaysNothing", "AttributeError"),
        ("Unknown", "KeyError"),
    ],
)
def test_a_faulty_fit_leaves_the_rung_and_a_fault_on_record(forecaster, fault):
    one, its = learned(forecaster)
    assert foreseen(one, its).made_by == "seasonal-naive"
    assert fault in one.health()[its.id]


@pytest.mark.parametrize(("forecaster", "fault"), [("RaisesLater", "no more"), ("SaysNaN", "not finite")])
def test_a_fault_after_a_good_fit_costs_only_foresight(forecaster, fault):
    one, its = learned(forecaster)
    one.observe(its.id, demand([5], end_s=END_S + STEP_S))
    assert foreseen(one, its, END_S + STEP_S).made_by == "seasonal-naive"
    assert fault in one.health()[its.id]


def test_one_services_fault_is_not_its_neighbours():
    one, its = learned("RaisesLater")
    neighbour = service("Honest", "b")
    one.learn(neighbour, demand(HISTORY), END_S)
    one.collect(END_S)
    for each in (its, neighbour):
        one.observe(each.id, demand([5], end_s=END_S + STEP_S))
    made = one.foresee([its, neighbour], END_S + STEP_S)
    assert [made[each.id].made_by for each in (its, neighbour)] == ["seasonal-naive", "honest"]
    assert set(one.health()) == {its.id}


def test_in_worker_processes_hung_and_crashed_fits_are_given_up_and_the_next_one_works():
    with KillingPool() as fits, KillingPool() as forecasts:
        one = ForecasterHost(make, CONTEXT, STEP_S, forecasts, fits, time_limit_s=60, forecast_limit_s=30)
        hung, crashed, fine = service("HangsInFit"), service("CrashesInFit", "b"), service("Honest", "c")
        one.learn(hung, demand(HISTORY), END_S)

        def given_up():
            # The clock is the caller's: a minute passes at each look.
            given_up.now_s += 61
            one.collect(given_up.now_s)
            return hung.id in one.health()

        given_up.now_s = END_S
        until(given_up)
        assert "took over 60 s" in one.health()[hung.id]
        for each in (crashed, fine):
            one.learn(each, demand(HISTORY), END_S)

        def both_are_in():
            one.collect(END_S)
            return crashed.id in one.health() and foreseen(one, fine).made_by == "honest"

        until(both_are_in)
        made = one.foresee([hung, crashed, fine], END_S)
        assert [f.made_by for f in made.values()].count("seasonal-naive") == 2
        assert made[fine.id].made_by == "honest"


def test_in_worker_processes_a_hung_forecast_is_out_until_it_is_fitted_again():
    with KillingPool() as pool:
        one, its = ForecasterHost(make, CONTEXT, STEP_S, pool, forecast_limit_s=30), service("HangsLater")
        one.learn(its, demand(HISTORY), END_S)

        def fitted():
            one.collect(END_S)
            return foreseen(one, its).made_by == "honest"

        until(fitted)
        one.forecast_limit_s = 0.5
        one.observe(its.id, demand([5], end_s=END_S + STEP_S))
        assert foreseen(one, its, END_S + STEP_S).made_by == "seasonal-naive"
        assert "out until it is fitted again" in one.health()[its.id]
