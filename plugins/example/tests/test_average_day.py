"""The contract that every forecaster keeps, and what this one promises besides."""

import numpy as np
from barista.ports.forecaster import ForecastContext
from barista.testing.forecasters import check_forecaster
from barista.testing.hosting import check_under_host
from barista.values.series import Calendar, Demand

from barista_average_day.forecaster import AverageDay


def test_it_keeps_the_contract():
    check_forecaster(AverageDay(), scale_equivariant=True)


def test_installed_it_is_found_by_name_and_answers_in_time():
    check_under_host("average-day", {"days": 7})


def test_it_says_what_was_seen_on_other_days_at_the_same_time():
    context = ForecastContext(Calendar(seasons_s=(4.0,)), steps=2)
    demand = Demand(0.0, 1.0, np.array([1, 2, 3, 4, 3, 4, 5.0]))
    state = AverageDay().fit(demand, context)
    assert AverageDay().forecast(state, 2, (0.5,)).mean == (4, 2)
