"""Where plug-ins run is the host's `Executor`: its own processes or a Dask cluster, it cannot tell which."""

import time

import pytest
from distributed import Client, LocalCluster

from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.forecast.rungs import LastValue
from barista.testing.forecasters import CONTEXT, STEP_S, daily_demand
from barista.testing.hosting import check_under_host
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.workers import KillingPool


class Example(LastValue):
    """Works, or fails in the way that its name says."""

    def __init__(self, name):
        self.name = name

    def fit(self, demand, context, warm=None):
        if self.name == "raises":
            raise ValueError("need more")
        if self.name == "hangs":
            time.sleep(3)
        return super().fit(demand, context, warm)

    def forecast(self, state, steps, levels):
        if self.name == "hangs-later":
            time.sleep(3)
        return super().forecast(state, steps, levels)


def make(choice):
    return Example(choice.name)


@pytest.fixture(scope="module")
def dask():
    """A Dask cluster of one worker in this process, on no port of this machine."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=4, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor(pure=False)


@pytest.fixture(scope="module")
def processes():
    with KillingPool() as pool:
        yield pool


@pytest.fixture(params=["processes", "dask"])
def executor(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", ["works", "seasonal-naive"])
def test_a_forecaster_is_fitted_and_asked_wherever_it_runs(executor, name):
    check_under_host(name, make=make if name == "works" else MakeForecaster(), executor=executor)


def test_what_a_fit_raises_comes_through(executor):
    with pytest.raises(AssertionError, match="raises: fit failed: ValueError: need more"):
        check_under_host("raises", make=make, executor=executor)


def test_a_hanging_fit_is_given_up(executor):
    with pytest.raises(AssertionError, match="hangs: fit failed: TimeoutError"):
        check_under_host("hangs", make=make, executor=executor, fit_limit_s=0.1)


def test_a_hanging_forecast_costs_its_service_a_rung_and_nothing_else(executor):
    host = ForecasterHost(make, CONTEXT, STEP_S, executor, forecast_limit_s=1.0)
    hung, fine = (
        Service(ServiceId(f"ns/{name}"), "m", Slo(0.2), ("f",), forecaster=PluginChoice(name))
        for name in ("hangs-later", "works")
    )
    demand = daily_demand()

    def made_by():
        host.collect(demand.end_s)
        made = host.foresee([fine, hung], demand.end_s)
        return made[fine.id].made_by, made[hung.id].made_by

    for service in (fine, hung):
        host.learn(service, demand, demand.end_s)
    end = time.monotonic() + 90
    while hung.id not in host.health():
        assert time.monotonic() < end, "never noticed"
        said = made_by()
        time.sleep(0.05)
    assert said == ("works", "seasonal-naive")
    assert "too l" in host.health()[hung.id]
