"""What runs a forecaster plug-in: two functions that a worker process can be handed.

A plug-in is made where it runs, never in the controller: importing it may pull in torch, and it may hang.
For the same reason its state comes and goes as pickled bytes, which only workers open.
"""

import pickle
from collections.abc import Callable

from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import PluginChoice

Make = Callable[[PluginChoice], Forecaster]

_made: dict[tuple[Make, str], Forecaster] = {}


def fit(
    make: Make, choice: PluginChoice, demand: Demand, context: ForecastContext, warm: bytes | None
) -> bytes:
    """The state of `choice` fitted to `demand`, starting from the state `warm` if given."""
    earlier = None if warm is None else pickle.loads(warm)  # noqa: S301  # written by `fit` or `advance`
    return pickle.dumps(_forecaster(make, choice).fit(demand, context, earlier))


def advance(
    make: Make, choice: PluginChoice, state: bytes, new_values: Demand, context: ForecastContext
) -> tuple[bytes, Forecast]:
    """The `state` of `choice` moved on by `new_values`, and what it forecasts from there."""
    forecaster = _forecaster(make, choice)
    moved = pickle.loads(state)  # noqa: S301  # written by `fit` or `advance`
    if len(new_values):
        moved = forecaster.update(moved, new_values)
        state = pickle.dumps(moved)
    return state, forecaster.forecast(moved, context.steps, context.levels)


def _forecaster(make: Make, choice: PluginChoice) -> Forecaster:
    # Kept between calls: finding an entry point and importing a plug-in takes longer than a forecast.
    key = (make, repr(choice))
    if key not in _made:
        _made[key] = make(choice)
    return _made[key]
