"""Foresight: what says what demand comes, and learns to, put together from the settings.

It does not hang on what is decided: demand comes as it comes. So a replay may look ahead once and hand
what was said to every policy and setting that it tries (`cli.tape`).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from barista.cli.adapters import Adapters
from barista.control.cycle import Forecasts
from barista.control.learn import Learner
from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.forecast.history import on_grid
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.forecast.quality import Watch
from barista.ports.forecaster import ForecastContext
from barista.settings import Settings
from barista.values.forecast import Forecast
from barista.values.series import Calendar
from barista.values.situation import ServiceView, Situation

SHOWN_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles that every forecast states, besides those that services buy."""
FORECAST_LIMIT_S = 2.0
"""For the forecasts of one cycle together, besides what one webhook may take."""
FITS_AHEAD = 4
"""Fits ordered for each worker, so that it has work until the next cycle."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """`foresee` says what comes; `learn` does what is due of learning (None: it does not learn)."""

    foresee: Callable[[Situation], Forecasts]
    learn: Callable[[float], None] | None = None


def foresight(
    settings: Settings,
    rules: Rules,
    seen: Callable[[], Watched],
    adapters: Adapters,
    *,
    calendar: Calendar,
    seed: int = 0,
    watch: Watch | None = None,
    levels: Iterable[float] = (),
) -> Foresight:
    """The foresight of `settings` for the services that `seen` tells of, with what they buy and `levels`.

    `watch` is shown what is forecast and what comes.
    """
    control = settings.control
    stated = {*SHOWN_LEVELS, *levels, *(service.highest_level for service in seen().services)}
    host = ForecasterHost(
        make=MakeForecaster(settings.webhooks()),
        context=ForecastContext(calendar, rules.horizon.steps + 2, tuple(sorted(stated)), seed),
        step_s=rules.horizon.step_s,
        executor=adapters.forecasts,
        learner=adapters.fits,
        forecast_limit_s=FORECAST_LIMIT_S + max((w.timeout_s for w in settings.webhooks()), default=0.0),
        store=adapters.states,
    )
    learner = Learner(
        host,
        adapters.metrics,
        control.learn_s,
        control.history_s,
        rules.horizon.step_s,
        FITS_AHEAD * control.fit_workers,
    )
    return Foresight(
        foresee=lambda situation: _foresee(host, watch, situation),
        learn=lambda now_s: learner.learn(seen().services, now_s),
    )


def _foresee(host: ForecasterHost, watch: Watch | None, situation: Situation) -> Forecasts:
    """Forecasts for the services of `situation`, after host and watch have seen their recent demand."""
    services = [view.service for view in situation.services]
    host.keep({service.id for service in services})
    for view in situation.services:
        if view.observation.recent is not None:
            host.observe(view.service.id, view.observation.recent)
            if watch is not None:
                watch.seen(view.service.id, on_grid(view.observation.recent, host.step_s))
    forecasts = host.foresee(services, situation.at_s)
    if watch is not None:
        watch.keep({service.id for service in services})
        for view in situation.services:
            made = forecasts.get(view.service.id)
            if made is not None:
                watch.said(view.service.id, made, host.members(view.service.id), _setup_steps(view, made))
    return forecasts


def _setup_steps(view: ServiceView, forecast: Forecast) -> int:
    """In which step ahead a replica ordered now serves, at the latest; 1 is the next."""
    setups_s = [view.profiles[f].planned_setup_s for f in view.service.flavors if f in view.profiles]
    return math.floor(max(setups_s, default=0.0) / forecast.step_s) + 1
