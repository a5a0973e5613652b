"""Stories of the host: whatever a forecaster does, its service loses foresight at most."""

import time
from concurrent.futures import Executor, Future
from datetime import datetime

import numpy as np
import pytest
from faulty_forecasters import make

from barista.forecast.host import ForecasterHost
from barista.ports.forecaster import ForecastContext
from barista.values.events import Event
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
        ("SaysNothing", "forecast is a NoneType"),
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


class Recording(KillingPool):
    """Remembers what it was given last."""

    def submit(self, fn, /, *args, **kwargs):
        self.last = super().submit(fn, *args, **kwargs)
        return self.last


def test_in_worker_processes_hung_and_crashed_fits_are_given_up_and_the_next_one_works():
    with Recording() as fits, KillingPool() as forecasts:
        one = ForecasterHost(make, CONTEXT, STEP_S, forecasts, fits, time_limit_s=60, forecast_limit_s=30)
        hung, crashed, fine = service("HangsInFit"), service("CrashesInFit", "b"), service("Honest", "c")
        one.learn(hung, demand(HISTORY), END_S)
        until(fits.last.running)
        one.collect(END_S)
        one.collect(END_S + 61)
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


class NeverSays(Executor):
    """Takes what it is given, and never says that it runs or what came of it."""

    def __init__(self):
        self.given = []

    def submit(self, fn, /, *args, **kwargs):
        self.given.append(Future())
        return self.given[-1]


def test_a_fit_that_is_never_seen_running_is_not_waited_for_forever():
    executor = NeverSays()
    one, its = host(executor, time_limit_s=60), service("Honest")
    one.learn(its, demand(HISTORY), END_S)
    one.collect(END_S + 600)
    assert one.health() == {}
    one.collect(END_S + 601)
    assert "no answer 600 s after it was ordered" in one.health()[its.id]
    assert executor.given[0].cancelled()
    one.learn(its, demand(HISTORY), END_S + 602)
    assert len(executor.given) == 2


def told_of(*events):
    """A host that works in local time of UTC, with END_S at 1970-01-01 00:16:40, and knows of `events`."""
    calendar = Calendar(seasons_s=(20 * STEP_S,), events=events)
    return ForecasterHost(make, ForecastContext(calendar=calendar, steps=3), STEP_S, Inline())


def sale(start_s, end_s, effect=3.0):
    start, end = (datetime(1970, 1, 1, 0, s // 60, s % 60) for s in (start_s, end_s))
    return Event(start, end, "sale", effect)


@pytest.mark.parametrize("forecaster", ["Honest", "last-value", "SaysNothing"])
def test_a_stated_effect_is_put_on_the_steps_of_the_event_whoever_speaks(forecaster):
    one, its = told_of(sale(1010, 1020)), service(forecaster)
    one.learn(its, demand([6.0] * 60), END_S)
    one.collect(END_S)
    made = foreseen(one, its)
    assert made.mean == (6, 18, 6)
    assert made.quantile(0.95) == (6, 18, 6)


def test_demand_during_an_event_is_neither_multiplied_again_nor_carried_on_when_it_is_over():
    one, its = told_of(sale(900, 1010)), service("last-value")
    one.observe(its.id, demand([6.0] * 50 + [18.0] * 10))
    assert foreseen(one, its).mean == (18, 6, 6)


def test_an_event_a_season_ago_is_not_expected_again():
    one, its = told_of(sale(800, 830)), service("seasonal-naive")
    one.observe(its.id, demand([6.0] * 20 + [6.0] * 20 + [18.0] * 3 + [6.0] * 17))
    assert foreseen(one, its).mean == (6, 6, 6)


def test_an_event_without_a_stated_effect_changes_nothing_here():
    one, its = told_of(sale(1010, 1020, effect=None)), service("last-value")
    one.observe(its.id, demand([6.0] * 60))
    assert foreseen(one, its).mean == (6, 6, 6)
