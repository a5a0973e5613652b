import pytest

from barista.forecast.rungs import LastValue, SeasonalNaive
from barista.ports.forecaster import Forecaster
from barista.testing.forecasters import CHECKS, check_scale
from barista_plugins.burst import BurstForecaster
from barista_plugins.compensated import CompensatedForecaster
from barista_plugins.neuralprophet import NeuralProphetForecaster
from barista_plugins.ridge import RidgeForecaster
from barista_plugins.smoothing import SmoothingForecaster
from barista_plugins.trees import TreesForecaster

FORECASTERS = [
    SeasonalNaive(),
    LastValue(),
    RidgeForecaster(),
    TreesForecaster(trees=50),
    SmoothingForecaster(),
    BurstForecaster(),
    CompensatedForecaster(),
    NeuralProphetForecaster(warm_epochs=1),
]


def by_name(forecaster):
    return forecaster.name


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=by_name)
def test_it_is_a_forecaster(forecaster):
    assert isinstance(forecaster, Forecaster)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("forecaster", FORECASTERS, ids=by_name)
def test_it_keeps_the_contract(forecaster, check):
    check(forecaster)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=by_name)
def test_its_forecast_scales_with_demand(forecaster):
    check_scale(forecaster)
