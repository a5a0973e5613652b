import numpy as np
import pytest

from barista.forecast.evaluate import NotEvaluated, Window, pinball, roll, score
from barista.forecast.rungs import SeasonalNaive
from barista.ports.forecaster import ForecastContext
from barista.values.series import Demand

STEP_S = 3600.0
CONTEXT = ForecastContext(steps=3)
WINDOW = Window(first=100, last=140, leads=(1, 3))


class Spying(SeasonalNaive):
    """Seasonal naive that notes when it is fitted, and how much it has seen."""

    def __init__(self):
        self.fits = []

    def fit(self, demand, context, warm=None):
        self.fits.append((len(demand), warm is not None))
        return super().fit(demand, context)


def series(n=160, seed=0):
    return Demand(0.0, STEP_S, np.random.default_rng(seed).uniform(1, 9, n))


def rolled(demand, window=WINDOW, refit_steps=24, forecaster=None):
    return [
        row
        for rows in roll(forecaster or SeasonalNaive(), demand, CONTEXT, window, refit_steps)
        for row in rows
    ]


def test_every_target_of_the_window_is_forecast_once_for_each_lead():
    rows = rolled(series())
    for lead in WINDOW.leads:
        targets = [row.target for row in rows if row.lead == lead]
        assert len(targets) == len(set(targets))
        assert set(range(100, 141)) <= set(targets)


@pytest.mark.parametrize("cut", [100, 119, 120, 135])
def test_cutting_the_series_after_an_origin_changes_nothing_up_to_it(cut):
    whole = series()
    head = Demand(0.0, STEP_S, whole.values[: cut + 1])
    until_cut = [row for row in rolled(whole) if row.origin <= cut]
    assert rolled(head, Window(100, cut, (1, 3))) == until_cut


def test_refits_follow_positions_of_the_series_and_begin_ahead_of_the_window():
    spying = Spying()
    rolled(series(), forecaster=spying)
    assert spying.fits == [(24, False), (48, False), (72, True), (96, True), (120, True)]


def test_a_series_too_short_to_fit_is_said_to_be():
    with pytest.raises(NotEvaluated, match="too few values before the window"):
        rolled(series(), Window(20, 30, (1,)))


def test_scores_are_those_of_their_definitions():
    demand = Demand(0.0, STEP_S, np.arange(160) % 24.0 + 1)
    (lead_1, lead_3) = score(rolled(demand), demand, WINDOW)
    assert (lead_1.targets, lead_3.targets) == (41, 41)
    assert (lead_1.mae, lead_1.pinball95, lead_1.coverage95, lead_1.over_provision) == (0, 0, 1, 0)


def test_pinball_weighs_what_lies_above_the_bound_nineteenfold():
    assert pinball(np.array([10.0]), np.array([9.0]), 0.95) == pytest.approx(0.95)
    assert pinball(np.array([9.0]), np.array([10.0]), 0.95) == pytest.approx(0.05)
