"""The ensemble, with members that are real where that is quick, and faulty where a story asks for it."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

from barista.forecast import members as module
from barista.forecast.ensemble import Ensemble
from barista.forecast.evaluate import Window, roll, score
from barista.forecast.members import DEFAULT, Members
from barista.forecast.rungs import LastValue, SeasonalNaive
from barista.plugins import PluginError
from barista.ports.forecaster import ForecastContext
from barista.testing.forecasters import CHECKS, check_scale, daily_demand
from barista.values.series import Demand

STEP_S = 3600.0
CONTEXT = ForecastContext(steps=3)
QUICK = ("seasonal-naive", "last-value")


@dataclass
class Faulty(SeasonalNaive):
    """Seasonal naive that does one thing wrong, once it has seen `after` values."""

    wrong: str = ""
    after: int = 0
    name: str = "faulty"

    def fit(self, demand, context, warm=None):
        if self.wrong == "fit":
            raise RuntimeError("need something else")
        return super().fit(demand, context)

    def update(self, state, new_values):
        if self.wrong == "update" and new_values.start_s >= self.after * STEP_S:
            raise RuntimeError("cannot go on")
        return super().update(state, new_values)

    def forecast(self, state, steps, levels):
        made = super().forecast(state, steps, levels)
        if state.demand.end_s < self.after * STEP_S:
            return made
        match self.wrong:
            case "forecast":
                raise RuntimeError("no idea")
            case "nan":
                return replace(made, mean=(float("nan"),) * steps)
            case "short":
                return super().forecast(state, steps - 1, levels)
            case "wild":
                huge = (1e30,) * steps
                return replace(made, mean=huge, quantiles=(huge,) * len(levels))
        return made


def ensemble_with(monkeypatch, *forecasters):
    """An ensemble of the rungs and `forecasters` that no distribution offers."""
    made = {f.name: f for f in (SeasonalNaive(), LastValue(), *forecasters)}
    monkeypatch.setattr(module, "load_plugin", lambda group, name, options: made[name])
    return Ensemble(tuple(made))


def rolled(forecaster, demand, first=336, last=500):
    window = Window(first, last, (1, 3))
    rows = [row for found in roll(forecaster, demand, CONTEXT, window, 24) for row in found]
    return rows, score(rows, demand, window)


def stated(state, level):
    return Ensemble(QUICK).forecast(state, 3, CONTEXT.levels).quantile(level)


def hourly(values):
    return Demand(0.0, STEP_S, np.asarray(values, dtype=float))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract_of_a_forecaster(check):
    check(Ensemble(QUICK))


def test_its_forecast_scales_with_demand():
    check_scale(Ensemble(QUICK))


def test_it_is_about_as_good_as_its_best_member_on_either_kind_of_demand():
    walk = hourly(100 + np.abs(np.cumsum(np.random.default_rng(1).normal(size=504))))
    for demand in (daily_demand(), walk):
        ours, *members = (rolled(f, demand)[1] for f in (Ensemble(QUICK), SeasonalNaive(), LastValue()))
        for k in range(2):
            assert ours[k].mae <= 1.2 * min(member[k].mae for member in members)


def test_the_last_value_speaks_of_bounds_only_where_nobody_else_does():
    said = np.ones((3, 3, 2))
    said[0, 2, 0] = np.nan
    heard = Members({m.name: m for m in (SeasonalNaive(), LastValue())}).trusted(said, CONTEXT)
    assert np.isfinite(heard[:, 1]).all()
    assert heard[0, 2, 1] == 1
    assert np.isnan(heard[1:, 2, 1]).all()
    assert np.isnan(heard[:, 0, 1]).all()
    alone = Members({"last-value": LastValue()}).trusted(said[..., 1:], CONTEXT)
    assert np.isfinite(alone).all()


def test_its_bound_holds_nineteen_times_out_of_twenty():
    _, scores = rolled(Ensemble(QUICK), daily_demand())
    for found in scores:
        assert found.coverage95 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("wrong", ["fit", "forecast", "nan", "short", "wild"])
def test_a_member_that_fails_costs_nothing(monkeypatch, wrong):
    demand = hourly(daily_demand().values)
    without, _ = rolled(ensemble_with(monkeypatch), demand)
    with_it, _ = rolled(ensemble_with(monkeypatch, Faulty(wrong=wrong)), demand)
    assert [row.q50 for row in with_it] == pytest.approx([row.q50 for row in without])


@pytest.mark.parametrize("wrong", ["update", "forecast", "nan", "short", "wild"])
def test_a_member_that_fails_later_does_little_harm(monkeypatch, wrong):
    demand = hourly(daily_demand().values)
    _, good = rolled(ensemble_with(monkeypatch), demand)
    _, found = rolled(ensemble_with(monkeypatch, Faulty(wrong=wrong, after=400)), demand)
    assert found[0].mae <= 1.1 * good[0].mae


def test_when_no_member_can_be_fitted_it_says_why(monkeypatch):
    forecaster = ensemble_with(monkeypatch, Faulty(wrong="fit"))
    with pytest.raises(ValueError, match=r"no member could be fitted.*need"):
        forecaster.fit(hourly([]), CONTEXT)


def test_what_it_learned_outlives_a_refit():
    forecaster, demand = Ensemble(QUICK), hourly(daily_demand().values)
    state = forecaster.fit(demand.until(400 * STEP_S), CONTEXT)
    moved = forecaster.update(state, Demand(400 * STEP_S, STEP_S, demand.values[400:450]))
    refitted = forecaster.fit(demand.until(450 * STEP_S), CONTEXT, moved)
    assert np.array_equal(refitted.mixture.aggregation.experts.total, moved.mixture.aggregation.experts.total)
    assert refitted.end_s == moved.end_s


def test_a_fit_that_began_before_the_latest_values_learns_them_again_only_from_its_own_forecasts():
    forecaster, demand = Ensemble(QUICK), hourly(daily_demand().values)
    ahead = forecaster.fit(demand.until(400 * STEP_S), CONTEXT)
    refitted = forecaster.fit(demand.until(390 * STEP_S), CONTEXT, ahead)
    assert refitted.end_s == 390 * STEP_S
    waiting = refitted.mixture.waiting.quantiles
    assert np.isfinite(waiting[0]).all()
    assert np.isnan(waiting[1:]).all()


def test_after_a_long_absence_it_goes_on_where_demand_stands():
    forecaster, demand = Ensemble(QUICK), hourly(daily_demand().values)
    state = forecaster.fit(demand.until(200 * STEP_S), CONTEXT)
    found = forecaster.update(state, Demand(200 * STEP_S, STEP_S, demand.values[200:]))
    assert found.end_s == demand.end_s
    assert forecaster.forecast(found, 3, CONTEXT.levels).fault() is None


def test_an_outlier_is_news_for_a_step_and_no_lasting_harm():
    forecaster, demand = Ensemble(QUICK), daily_demand()
    state = forecaster.fit(demand.until(demand.end_s - 48 * STEP_S), CONTEXT)
    come = demand.last(48)
    spoiled = replace(come, values=np.where(np.arange(48) == 10, 1000 * come.values, come.values))
    calm, struck = (forecaster.update(state, d.until(d.start_s + 11 * STEP_S)) for d in (come, spoiled))
    assert stated(struck, 0.95)[0] > 100 * stated(calm, 0.95)[0]
    later = [forecaster.update(s, come) for s in (calm, struck)]
    np.testing.assert_allclose(stated(later[1], 0.5), stated(later[0], 0.5), rtol=0.5)
    assert max(stated(later[1], 0.95)) < 2 * max(stated(later[0], 0.95))


def test_with_another_step_it_learns_anew():
    forecaster, demand = Ensemble(QUICK), daily_demand()
    state = forecaster.fit(demand, CONTEXT)
    halves = Demand(demand.start_s, STEP_S / 2, np.repeat(demand.values, 2))
    anew, warm = forecaster.fit(halves, CONTEXT), forecaster.fit(halves, CONTEXT, state)
    assert warm.step_s == STEP_S / 2
    assert forecaster.forecast(warm, 3, CONTEXT.levels) == forecaster.forecast(anew, 3, CONTEXT.levels)


def test_cutting_the_series_after_an_origin_changes_nothing_up_to_it():
    demand = hourly(daily_demand().values)
    until_cut = [row for row in rolled(Ensemble(QUICK), demand)[0] if row.origin <= 410]
    head = demand.until(411 * STEP_S)
    assert rolled(Ensemble(QUICK), head, last=410)[0] == until_cut


def test_levels_without_the_median_are_answered_too():
    context = ForecastContext(steps=2, levels=(0.9, 0.99))
    forecaster = Ensemble(QUICK)
    made = forecaster.forecast(forecaster.fit(daily_demand(), context), 2, context.levels)
    assert made.fault() is None
    assert made.levels == context.levels


def test_a_gap_teaches_nothing():
    forecaster, demand = Ensemble(QUICK), daily_demand()
    state = forecaster.fit(demand, CONTEXT)
    found = forecaster.update(state, Demand(demand.end_s, STEP_S, np.full(5, np.nan)))
    before, after = (s.mixture.aggregation.experts.total for s in (state, found))
    assert np.array_equal(before, after)


def test_members_can_be_given_options_and_by_default_are_those_installed():
    assert Ensemble({"last-value": {}}).fit(daily_demand(), CONTEXT).names == ("last-value",)
    assert set(Members.installed().names) == set(DEFAULT)


@pytest.mark.parametrize(
    ("members", "error", "words"),
    [
        (("no-such",), PluginError, "no such plug-in"),
        ((), ValueError, "at least one"),
        (("ensemble",), ValueError, "not the ensemble itself"),
    ],
)
def test_members_that_cannot_be_had_are_refused(members, error, words):
    with pytest.raises(error, match=words):
        Ensemble(members)


def test_its_state_is_a_picklable_value():
    forecaster = Ensemble(QUICK)
    state = forecaster.fit(daily_demand(), CONTEXT)
    stored = pickle.loads(pickle.dumps(state))
    assert forecaster.forecast(stored, 3, CONTEXT.levels) == forecaster.forecast(state, 3, CONTEXT.levels)
