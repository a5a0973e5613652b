"""The ladder below a chosen forecaster: seasonal naive, then last value; and what counts as a fall.

With anything ever seen the last rung holds, so a service without a forecast is one nobody has seen.
"""

from barista.forecast.rungs import LastValue, SeasonalNaive
from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import PluginChoice

RUNGS: tuple[Forecaster, ...] = (SeasonalNaive(), LastValue())


def is_rung(choice: PluginChoice) -> bool:
    """Whether `choice` is one of the rungs itself: nothing to fit, nothing to guard."""
    return any(choice.name == rung.name for rung in RUNGS)


def stand_in(choice: PluginChoice, demand: Demand, context: ForecastContext) -> Forecast | None:
    """What the first rung that holds says after `demand`; a rung that was chosen is where it starts."""
    names = [rung.name for rung in RUNGS]
    for rung in RUNGS[names.index(choice.name) if is_rung(choice) else 0 :]:
        try:
            forecast = rung.forecast(rung.fit(demand, context), context.steps, context.levels)
        except ValueError:
            continue
        if fault_of(forecast, demand, context) is None:
            return forecast
    return None


def fault_of(forecast: Forecast, demand: Demand, context: ForecastContext) -> str | None:
    """What is wrong with `forecast` as the answer for what follows on `demand`, or None."""
    if forecast.steps != context.steps or forecast.levels != context.levels:
        return f"forecast of {forecast.steps} steps at levels {forecast.levels}: not what was asked"
    if abs(forecast.origin_s - demand.end_s) > 0.5 * demand.step_s or forecast.step_s != demand.step_s:
        return f"forecast from {forecast.origin_s} on {forecast.step_s} s: does not follow on the demand"
    return forecast.fault()
