"""The contract of a forecaster as the host runs it, for its author: by name, in workers, within limits.

    from barista.testing.hosting import check_under_host
    check_under_host("my-forecaster")

Here a plug-in proves that its distribution names it, that it can be made and its states carried between
processes, and that it answers in the time that production gives it. One that hangs ends this check like
it ends in production: it is cut off, and what is wrong is said. `executor` is for whoever lets
plug-ins run elsewhere than in Barista's own worker processes.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import nullcontext

from barista.forecast.host import ForecasterHost
from barista.forecast.ladder import RUNGS
from barista.forecast.make import MakeForecaster
from barista.forecast.tasks import Make
from barista.testing.forecasters import CONTEXT, STEP_S, daily_demand
from barista.values.series import Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.workers import KillingPool

FIT_LIMIT_S = 600.0
FORECAST_LIMIT_S = 2.0
"""What the host allows in production."""
LOOK_S = 0.05
NEWS = 24


def check_under_host(
    name: str,
    options: Mapping[str, object] | None = None,
    *,
    make: Make | None = None,
    executor: Executor | None = None,
    fit_limit_s: float = FIT_LIMIT_S,
    forecast_limit_s: float = FORECAST_LIMIT_S,
) -> None:
    """Fit the forecaster `name`, made from `options`, and let it follow a day of news, all through the host.

    AssertionError with what the host has on record against it. Without `executor` it runs in a process
    that is killed when it exceeds a limit.
    """
    service = Service(
        ServiceId("contract/forecaster"),
        "model",
        Slo(0.2),
        ("any",),
        forecaster=PluginChoice(name, options or {}),
    )
    demand = daily_demand()
    known = demand.until(demand.end_s - NEWS * STEP_S)
    with KillingPool() if executor is None else nullcontext(executor) as workers:
        host = ForecasterHost(
            make or MakeForecaster(),
            CONTEXT,
            STEP_S,
            workers,
            time_limit_s=fit_limit_s,
            forecast_limit_s=forecast_limit_s,
        )
        _learn(host, service, known)
        for hour in range(1, NEWS + 1):
            now_s = known.end_s + hour * STEP_S
            host.observe(service.id, demand.until(now_s).last(1))
            made = host.foresee([service], now_s)[service.id]
            _assert_well(host, service)
            assert made.origin_s == now_s, f"{name}: forecast from {made.origin_s}, not {now_s}"


def _learn(host: ForecasterHost, service: Service, demand: Demand) -> None:
    """Wait until no rung stands in any more, telling the host the time that passes."""
    started = time.monotonic()
    others = {rung.name for rung in RUNGS} - {service.forecaster.name}
    host.learn(service, demand, demand.end_s)
    while host.foresee([service], demand.end_s)[service.id].made_by in others:
        time.sleep(LOOK_S)
        host.collect(demand.end_s + time.monotonic() - started)
        _assert_well(host, service)


def _assert_well(host: ForecasterHost, service: Service) -> None:
    fault = host.health().get(service.id)
    assert fault is None, fault
