"""The contract of a forecaster, for its author to run.

    from barista.testing.forecasters import check_forecaster
    check_forecaster(MyForecaster())

Every clause is a function of its own, an assertion on small series that come from seeds. States are
opaque: what is compared is what they forecast. The clauses are those that the host counts on; how good
a forecaster is, `barista forecast` says. Time limits, and what it takes to be found and carried between
processes, are `barista.testing.hosting`'s.
"""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.forecast import Forecast
from barista.values.series import Demand, FloatArray

STEP_S = 3600.0
START_S = 1_700_000_000 // STEP_S * STEP_S
CONTEXT = ForecastContext(steps=6, levels=(0.05, 0.5, 0.95), seed=3)
LENGTH = 24 * 7 * 3
"""Three weeks by the hour: enough for the seasons of the context, soon fitted."""


def check_forecaster(forecaster: Forecaster, *, scale_equivariant: bool = False) -> None:
    """Check every clause; `scale_equivariant` for forecasters that promise it."""
    for check in CHECKS:
        check(forecaster)
    if scale_equivariant:
        check_scale(forecaster)


def check_answers_what_was_asked(forecaster: Forecaster) -> None:
    """It follows on the demand with as many steps and the levels asked, and quantiles that do not cross."""
    demand = daily_demand()
    state = forecaster.fit(demand, CONTEXT)
    for steps, levels in ((CONTEXT.steps, CONTEXT.levels), (1, CONTEXT.levels), (CONTEXT.steps, (0.5, 0.9))):
        made = _sound(forecaster, forecaster.forecast(state, steps, levels))
        assert (made.steps, made.levels) == (steps, levels), f"{forecaster.name}: {steps} steps at {levels}"
        assert (made.origin_s, made.step_s) == (demand.end_s, STEP_S), f"{forecaster.name}: {made.origin_s}"


def check_never_looks_ahead(forecaster: Forecaster) -> None:
    """What a state forecasts does not change by what is seen later, nor the demand by being looked at."""
    demand = daily_demand()
    given = demand.values.copy()
    early = forecaster.fit(demand.until(demand.end_s - 48 * STEP_S), CONTEXT)
    before = _forecast(forecaster, early)
    forecaster.update(early, _follow(demand, demand.values[-48:] * 100.0, back=48))
    assert _same(before, _forecast(forecaster, early)), f"{forecaster.name}: update changed the state it got"
    assert np.array_equal(given, demand.values, equal_nan=True), f"{forecaster.name}: it changed the demand"


def check_updates_add_up(forecaster: Forecaster) -> None:
    """Values one by one or all at once: the same state, without the values that came after."""
    demand, news = daily_demand(), np.array([3.0, np.nan, 8.0, 13.0])
    state = forecaster.fit(demand, CONTEXT)
    at_once = forecaster.update(state, _follow(demand, news))
    one_by_one = state
    for k in range(len(news)):
        moved = Demand(demand.end_s + k * STEP_S, STEP_S, news[k : k + 1])
        one_by_one = forecaster.update(one_by_one, moved)
    made = _forecast(forecaster, at_once)
    assert made.origin_s == demand.end_s + len(news) * STEP_S, f"{forecaster.name}: origin {made.origin_s}"
    assert _same(made, _forecast(forecaster, one_by_one)), f"{forecaster.name}: updates do not add up"


def check_repeats_itself(forecaster: Forecaster) -> None:
    """Fitted twice with one seed it says the same."""
    one, other = (_forecast(forecaster, forecaster.fit(daily_demand(), CONTEXT)) for _ in range(2))
    assert _same(one, other), f"{forecaster.name}: another forecast the second time"


def check_survives_pickling(forecaster: Forecaster) -> None:
    """A state that was stored and read again forecasts and moves on as before."""
    demand = daily_demand()
    state = forecaster.fit(demand, CONTEXT)
    stored = pickle.loads(pickle.dumps(state))  # noqa: S301  # our own bytes
    news = _follow(demand, np.array([4.0, 5.0]))
    one, other = (_forecast(forecaster, forecaster.update(s, news)) for s in (state, stored))
    assert _same(one, other), f"{forecaster.name}: another forecast after pickling"


def check_refits_warm(forecaster: Forecaster) -> None:
    """A fit that starts from an earlier state follows on the new demand."""
    demand = daily_demand()
    earlier = forecaster.fit(demand.until(demand.end_s - 24 * STEP_S), CONTEXT)
    state = forecaster.fit(demand, CONTEXT, earlier)
    assert _forecast(forecaster, state).origin_s == demand.end_s, f"{forecaster.name}: stuck at its past"


def check_steady_demand(forecaster: Forecaster) -> None:
    """Demand that never changes is forecast as it is, and none as none."""
    for value in (0.0, 7.0):
        made = _forecast(forecaster, forecaster.fit(_demand(np.full(LENGTH, value)), CONTEXT))
        figures = np.array([made.mean, *made.quantiles])
        assert np.allclose(figures, value, atol=0.05), f"{forecaster.name}: {value} all along: {made}"


def check_bursts(forecaster: Forecaster) -> None:
    """Demand of nothing but bursts is no reason for a negative forecast."""
    rng = np.random.default_rng(5)
    bursts = np.where(rng.random(LENGTH) < 0.05, rng.pareto(1.5, LENGTH) * 50, 0.0)
    _forecast(forecaster, forecaster.fit(_demand(bursts), CONTEXT))


def check_gaps(forecaster: Forecaster) -> None:
    """Gaps within the demand, at its end and in what follows leave a sound forecast."""
    rng = np.random.default_rng(7)
    values = daily_demand().values.copy()
    values[rng.random(LENGTH) < 0.1] = np.nan
    values[200:215] = np.nan
    values[-3:] = np.nan
    demand = _demand(values)
    state = forecaster.fit(demand, CONTEXT)
    made = _forecast(forecaster, forecaster.update(state, _follow(demand, np.full(4, np.nan))))
    assert min(made.quantiles[-1]) > 1.0, f"{forecaster.name}: gaps are read as no demand: {made}"


def check_too_little(forecaster: Forecaster) -> None:
    """Without any value a fit is refused with a ValueError that says what is needed."""
    for values in (np.empty(0), np.full(LENGTH, np.nan)):
        refusal = _refusal(forecaster, _demand(values))
        assert refusal is not None, f"{forecaster.name}: fitted to {len(values)} steps without a value"
        assert "need" in refusal, f"{forecaster.name}: {refusal}: does not say what it needs"


def check_scale(forecaster: Forecaster) -> None:
    """A thousand times the demand is a thousand times the forecast (a promise not every one gives)."""
    demand = daily_demand()
    one = _forecast(forecaster, forecaster.fit(demand, CONTEXT))
    many = _forecast(forecaster, forecaster.fit(_demand(demand.values * 1000), CONTEXT))
    figures = [np.array([made.mean, *made.quantiles]) for made in (one, many)]
    assert np.allclose(figures[0] * 1000, figures[1], rtol=0.01, atol=50.0), f"{forecaster.name}: scale"


CHECKS: tuple[Callable[[Forecaster], None], ...] = (
    check_answers_what_was_asked,
    check_never_looks_ahead,
    check_updates_add_up,
    check_repeats_itself,
    check_survives_pickling,
    check_refits_warm,
    check_steady_demand,
    check_bursts,
    check_gaps,
    check_too_little,
)


def daily_demand(seed: int = 1) -> Demand:
    """Three weeks of demand with a day and a weekend, and some noise."""
    hours = np.arange(LENGTH)
    weekday = np.where(hours // 24 % 7 < 5, 1.0, 0.6)
    shape = 10 + 6 * np.sin(2 * np.pi * hours / 24)
    noise = np.random.default_rng(seed).normal(0, 0.5, LENGTH)
    return _demand(np.maximum(weekday * shape + noise, 0.0))


def _demand(values: FloatArray) -> Demand:
    return Demand(START_S, STEP_S, values)


def _follow(demand: Demand, values: FloatArray, back: int = 0) -> Demand:
    return Demand(demand.end_s - back * STEP_S, STEP_S, values)


def _forecast(forecaster: Forecaster, state: Any) -> Forecast:
    return _sound(forecaster, forecaster.forecast(state, CONTEXT.steps, CONTEXT.levels))


def _refusal(forecaster: Forecaster, demand: Demand) -> str | None:
    try:
        forecaster.fit(demand, CONTEXT)
    except ValueError as error:
        return str(error)
    return None


def _sound(forecaster: Forecaster, made: Forecast) -> Forecast:
    fault = made.fault()
    assert fault is None, f"{forecaster.name}: {fault}: {made}"
    return made


def _same(one: Forecast, other: Forecast) -> bool:
    first, second = (np.array([made.mean, *made.quantiles]) for made in (one, other))
    return one.origin_s == other.origin_s and np.allclose(first, second, rtol=1e-9, atol=1e-9)
