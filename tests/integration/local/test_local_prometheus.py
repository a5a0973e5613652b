"""The real Prometheus: the past that is stored in it, the router that it scrapes, what is read back."""

import asyncio
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
from local_router_process import (
    SERVICE,
    RouterProcess,
    eventually,
    free_port,
    replicas,
    running_router,
    start_router,
)

from barista.platforms.local import prometheus
from barista.platforms.local.metrics import PrometheusMetrics
from barista.platforms.local.prometheus import Prometheus, PrometheusError, backfill, find_prometheus
from barista.values.observation import Freshness, Observation
from barista.values.series import Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo

DIGITS, TAXI, TOLLS = ServiceId(SERVICE), ServiceId("default/taxi"), ServiceId("default/tolls")
SCRAPE_S = 0.5
STEP_S = 1.0


def service(name: ServiceId, percentile: float = 0.95) -> Service:
    return Service(name, "digits", Slo(0.25, percentile), ("cpu-1",), forecaster=PluginChoice("last-value"))


def past(steps: int, end_s: float, seed: int) -> Demand:
    rates = np.random.default_rng(seed).integers(0, 50, steps).astype(float)
    return Demand(np.floor(end_s) - steps * STEP_S, STEP_S, rates)


@asynccontextmanager
async def running_prometheus(server: Prometheus):
    process = await asyncio.create_subprocess_exec(*server.argv())
    try:
        await server.wait_ready()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def scraped(metrics: PrometheusMetrics) -> None:
    """Return once the router has been scraped for the first time, which takes Prometheus some seconds."""

    async def seen() -> bool:
        return metrics.observe([service(DIGITS)], time.time(), 2, STEP_S)[DIGITS].demand_rps.is_fresh

    await eventually(seen, within_s=60)


async def offer(router: RouterProcess, count: int, per_s: float) -> None:
    for _ in range(count):
        assert (await router.ask())[0] == 201
        await asyncio.sleep(1 / per_s)


async def test_the_past_stored_in_it_reads_back_and_continues_with_what_is_scraped(tmp_path):
    """Also in parts, as Prometheus answers 11,000 points at most, and across a restart of the router."""
    server = Prometheus(tmp_path / "prometheus", free_port(), SCRAPE_S)
    end_s = time.time()
    stored = {DIGITS: past(12_000, end_s, 1), TAXI: past(600, end_s, 2)}
    stored[TAXI].values[300:302] = np.nan
    tolls = Demand(
        6.25 * np.floor(stored[DIGITS].start_s / 6.25), 6.25, 20 + 10 * np.sin(np.arange(1000) / 50)
    )
    backfill(server.directory, {**stored, TOLLS: tolls})
    metrics = PrometheusMetrics(server.url, SCRAPE_S, timeout_s=10)
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        server.configure([router.admin_url.removeprefix("http://")])
        async with running_prometheus(server):
            began_s = stored[DIGITS].start_s
            read = await asyncio.to_thread(
                metrics.history, [DIGITS, TAXI], began_s, stored[DIGITS].end_s, STEP_S
            )
            assert read[DIGITS].start_s == began_s
            np.testing.assert_allclose(read[DIGITS].values, stored[DIGITS].values, atol=1e-3)
            with_gap = stored[TAXI].values.copy()
            with_gap[302] = np.nan  # one sample alone tells no rate
            np.testing.assert_allclose(read[TAXI].last(600).values, with_gap, atol=1e-3)
            other_steps = metrics.history([TOLLS], tolls.start_s + 10, tolls.end_s - 10, 5)[TOLLS]
            expected = np.interp(other_steps.times_s() + 2.5, tolls.times_s() + 3.125, tolls.values)
            np.testing.assert_allclose(other_steps.values, expected, atol=0.5)

            await router.list_replicas(one)
            await scraped(metrics)
            await offer(router, 120, per_s=30)
            now_s = time.time()
            whole = metrics.history([DIGITS], began_s, now_s, STEP_S)[DIGITS]
            np.testing.assert_allclose(whole.values[:12_000], stored[DIGITS].values, atol=1e-3)
            live = whole.values[12_000:]
            assert 0 < np.nansum(live) * STEP_S <= 121, live
            assert set(metrics.history([DIGITS, ServiceId("default/none")], began_s, now_s, STEP_S)) == {
                DIGITS
            }


async def test_what_was_seen_is_fresh_then_stale_then_missing_and_never_zero(tmp_path):
    server = Prometheus(tmp_path / "prometheus", free_port(), SCRAPE_S)
    metrics = PrometheusMetrics(server.url, SCRAPE_S, stale_after_s=4)
    digits, taxi = service(DIGITS), service(TAXI, 0.5)

    def seen() -> dict[ServiceId, Observation]:
        return dict(metrics.observe([digits, taxi], time.time(), window_s=2, step_s=STEP_S))

    assert seen() == {DIGITS: Observation.missing(DIGITS), TAXI: Observation.missing(TAXI)}, "not started yet"
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        server.configure([router.admin_url.removeprefix("http://")])
        async with running_prometheus(server) as process:
            await router.list_replicas(one)

            async def idle() -> bool:
                return seen()[DIGITS].demand_rps.value == 0

            await eventually(idle)
            assert not seen()[DIGITS].latency_s.is_fresh, "no answer, no latency"

            await offer(router, 90, per_s=30)
            now = seen()
            assert 0 < now[DIGITS].demand_rps.value < 31
            assert 0 < now[DIGITS].latency_s.value < 1
            for reading in (now[DIGITS].demand_rps, now[DIGITS].latency_s, now[DIGITS].in_flight):
                assert reading.freshness is Freshness.FRESH
                assert time.time() - reading.at_s < 4
            assert now[TAXI] == Observation.missing(TAXI), "another service of the same source is missing"

            one.gate.clear()
            asked = [asyncio.create_task(router.ask()) for _ in range(3)]

            async def three_in_flight() -> bool:
                observation = seen()[DIGITS]
                return observation.in_flight.value == 3 and 0 < observation.concurrency.value <= 1

            await eventually(three_in_flight)
            one.gate.set()
            await asyncio.gather(*asked)

            router.process.kill()
            await router.process.wait()

            async def stale() -> bool:
                return seen()[DIGITS].demand_rps.freshness is Freshness.STALE

            await eventually(stale)
            assert seen()[DIGITS].demand_rps.value > 0
            process.kill()
            await process.wait()
            assert seen()[DIGITS] == Observation.missing(DIGITS)
            assert metrics.history([DIGITS], time.time() - 60, time.time(), STEP_S) == {}


async def test_a_restarted_router_is_read_at_its_true_rate(tmp_path):
    server = Prometheus(tmp_path / "prometheus", free_port(), SCRAPE_S)
    metrics = PrometheusMetrics(server.url, SCRAPE_S)
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        server.configure([router.admin_url.removeprefix("http://")])
        async with running_prometheus(server):
            await router.list_replicas(one)
            await scraped(metrics)
            await offer(router, 60, per_s=30)
            router.process.kill()
            await router.process.wait()
            ports = [int(url.rsplit(":", 1)[1]) for url in (router.url, router.admin_url)]
            router.process = await start_router(tmp_path / "router.json", *ports)
            await router.list_replicas(one)
            await offer(router, 45, per_s=30)
            seen = metrics.observe([service(DIGITS)], time.time(), window_s=30, step_s=STEP_S)[DIGITS]
            assert 0 < seen.demand_rps.value < 31
            assert seen.recent is not None
            assert np.nanmax(seen.recent.values) < 40
            assert np.isnan(seen.recent.values).any(), "the step of the restart is not known"


def test_a_past_off_its_grid_is_refused_with_the_start_to_use(tmp_path):
    off = Demand(1000.3, 5.0, np.ones(3))
    with pytest.raises(ValueError, match=r"backfill of default/digits: start 1000.3 s .* start at 1000.000"):
        backfill(tmp_path, {DIGITS: off})


def test_a_missing_program_is_named_with_its_mend(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        PrometheusError, match=r"promtool: not on PATH: install it .*apt-get install prometheus"
    ):
        find_prometheus("promtool")


def test_its_version_is_known():
    assert prometheus.version()[0].isdigit()


async def test_one_that_does_not_come_up_is_named(tmp_path):
    port = free_port()
    with pytest.raises(PrometheusError, match=f"prometheus on port {port}: not ready after 0.3 s"):
        await Prometheus(tmp_path, port).wait_ready(0.3)
