"""What forecasting for a thousand services costs: a step for all of them, memory, and a day's refits.

    python -m benchmarks.forecast_scale [--services 1000] [--lanes 2] [--steps 5] [--fits 3] [--members NAMES]

A few real fits of the ensemble, on the departures of four weeks, scaled and shifted, with chance arrivals,
stand for all services: these begin as copies of them. Then, step after step, every service is told one
value and asked what comes, by the host as in production: in worker processes that hold the states. Refits
are costed by the time of warm fits six hours on, ordered by the learner over two days of virtual time.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import date
from typing import Any, TypeVar

import numpy as np
import psutil

from barista.cli.foresight import FITS_AHEAD
from barista.control.learn import Learner
from barista.forecast import tasks
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.load.departures import TIME_ZONE, compressed, departures_by_minute, midnight_s
from barista.ports.forecaster import ForecastContext
from barista.settings import ControlSettings
from barista.values.observation import Observation
from barista.values.series import DAY_S, Calendar, Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.workers import KillingPool, Lanes

T = TypeVar("T")
FIRST, DAYS = date(2013, 5, 15), 35
HISTORY_DAYS = 28
STEP_S = 300.0
CONTEXT = ForecastContext(Calendar(TIME_ZONE), steps=14)
WAIT_S = 600.0


class Copies(Executor):
    """Fits each history once, in `pool`, for `fits_s`, and hands out copies to whoever has the same."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._known: dict[bytes, Any] = {}
        self.fits_s: list[float] = []

    @property
    def state_bytes(self) -> list[int]:
        """Sizes of the states."""
        return [len(state) for state in self._known.values()]

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run `fn`, a fit, unless it is known what comes of it."""
        key = next(argument for argument in args if isinstance(argument, Demand)).values.tobytes()
        if key not in self._known:
            begun = time.perf_counter()
            self._known[key] = self._pool.submit(fn, *args, **kwargs).result()
            self.fits_s.append(time.perf_counter() - begun)
        done: Future[Any] = Future()
        done.set_result(self._known[key])
        return done


class Bench:
    """A forecaster host in virtual time whose fits take `fit_s` on one of `workers`; notes the orders."""

    def __init__(self, fit_s: float, workers: int) -> None:
        self._fit_s, self._free_s = fit_s, [0.0] * workers
        self._ends_s: list[float] = []
        self.ordered: list[float] = []

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:  # noqa: ARG002
        """A worker takes it up as soon as it can."""
        at = self._free_s.index(min(self._free_s))
        self._free_s[at] = max(now_s, self._free_s[at]) + self._fit_s
        self._ends_s.append(self._free_s[at])
        self.ordered.append(now_s)

    def has_seen(self, service: ServiceId) -> bool:  # noqa: ARG002
        """All of them have long been seen."""
        return True

    def collect(self, now_s: float) -> None:
        """Fits that have ended are no longer under way."""
        self._ends_s = [end_s for end_s in self._ends_s if end_s > now_s]

    def fits_under_way(self) -> int:
        """How many have not ended."""
        return len(self._ends_s)


class LongSeen:
    """A metric source that has weeks of everything."""

    def observe(
        self,
        services: Sequence[Service],  # noqa: ARG002
        now_s: float,  # noqa: ARG002
        window_s: float,  # noqa: ARG002
        step_s: float,  # noqa: ARG002
    ) -> Mapping[ServiceId, Observation]:
        """Nothing: nobody asks."""
        return {}

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Enough that every service is due by its schedule."""
        return dict.fromkeys(services, Demand(start_s, step_s, np.ones(int((end_s - start_s) / step_s))))


def main(arguments: Iterable[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--lanes", type=int, default=2, help="processes that forecast")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--fits", type=int, default=3, help="real fits that stand for all")
    parser.add_argument("--members", help="of the ensemble, with commas; those it has by default")
    given = parser.parse_args(None if arguments is None else list(arguments))
    # One thread each: the processes share the cores.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    series = [departures(k, given.fits) for k in range(given.fits)]
    choice = PluginChoice("ensemble", {"members": given.members.split(",")} if given.members else {})
    services = [_service(k, choice) for k in range(given.services)]
    with KillingPool() as pool, Lanes.of_processes(given.lanes) as lanes:
        fits = Copies(pool)
        print(f"{given.services} services, {HISTORY_DAYS} days of {STEP_S:g} s steps, {given.lanes} lanes")
        _forecast(services, series, given.steps, fits, lanes)
        warm_s = [_warm_fit_s(pool, fits, choice, demand) for demand in series]
    print(f"cold fit {np.mean(fits.fits_s):.1f} s, warm fit {np.mean(warm_s):.1f} s (mean of {given.fits})")
    _cost_refits(services, float(np.mean(warm_s)))


def departures(k: int, of: int) -> Demand:
    """The departures of five weeks as demand, the `k`-th of so many scales and shifts by up to a day."""
    by_minute = departures_by_minute(FIRST, DAYS)
    peak_rps = 5.0 * 4.0**k
    shifted = np.roll(by_minute, k * 1440 // of)
    plain = compressed(shifted, start_s=midnight_s(FIRST), step_s=STEP_S, rate=1.0, peak_rps=peak_rps)
    counts = np.random.default_rng(k).poisson(plain.values * STEP_S)
    return Demand(plain.start_s, STEP_S, counts / STEP_S)


def _service(k: int, choice: PluginChoice) -> Service:
    return Service(ServiceId(f"bench/service-{k}"), "model", Slo(0.2), ("any",), forecaster=choice)


def _known(demand: Demand) -> Demand:
    return demand.until(demand.start_s + HISTORY_DAYS * DAY_S)


def _forecast(
    services: Sequence[Service], series: Sequence[Demand], steps: int, fits: Copies, lanes: Lanes
) -> None:
    """Fit all, then tell and ask them step after step."""
    host = ForecasterHost(MakeForecaster(), CONTEXT, STEP_S, lanes, fits, 1e9, forecast_limit_s=WAIT_S)
    mine = {service.id: series[k % len(series)] for k, service in enumerate(services)}
    for service in services:
        host.learn(service, _known(mine[service.id]), 0.0)
    print(f"state: {np.mean(fits.state_bytes) / 1e6:.2f} MB a service")
    begun = time.perf_counter()
    while host.fits_under_way():
        host.collect(0.0)
        time.sleep(0.01)
    print(f"all states handed to the lanes, as after a restart: {time.perf_counter() - begun:.1f} s")
    end_s = _known(series[0]).end_s
    for step in range(steps):
        now_s = end_s + (step + 1) * STEP_S
        begun, worked_s = time.perf_counter(), _cpu_s()
        for each, demand in mine.items():
            host.observe(each, demand.until(now_s).last(1))
        made = host.foresee(services, now_s)
        took_s = time.perf_counter() - begun
        by_choice = sum(
            m.made_by == services[0].forecaster.name and m.origin_s == now_s for m in made.values()
        )
        print(
            f"step {step + 1}: {by_choice} of {len(services)} told and forecast in {took_s:.2f} s"
            f" ({_cpu_s() - worked_s:.2f} s of cpu)"
        )
    begun = time.perf_counter()
    host.foresee(services, now_s)
    print(f"asked again without news: {time.perf_counter() - begun:.2f} s")
    this = psutil.Process()
    workers = [
        child.memory_info().rss / 2**30 for child in this.children() if child.memory_info().rss > 2**25
    ]
    held = ", ".join(f"{gib:.2f}" for gib in workers)
    print(f"memory: controller {this.memory_info().rss / 2**30:.2f} GiB; workers {held} GiB")
    for fault in set(host.health().values()):
        print(f"fault: {fault}")


def _cpu_s() -> float:
    """Seconds of cpu that this process and its workers have used."""
    this = psutil.Process()
    return sum(t.user + t.system for t in (p.cpu_times() for p in (this, *this.children())))


def _warm_fit_s(pool: Executor, fits: Copies, choice: PluginChoice, demand: Demand) -> float:
    """Seconds of a refit, one interval after the first fit."""
    known = _known(demand)
    arguments = (MakeForecaster(), choice, known, CONTEXT, None)
    state = fits.submit(tasks.fit, *arguments).result()
    later = demand.until(known.end_s + ControlSettings().learn_s)
    begun = time.perf_counter()
    pool.submit(tasks.fit, MakeForecaster(), choice, later, CONTEXT, state).result()
    return time.perf_counter() - begun


def _cost_refits(services: Sequence[Service], fit_s: float) -> None:
    """Print what a day's refits take, and how the learner spreads them, by interval and workers."""
    cycle_s = ControlSettings().cycle_s
    print(
        "\nrefits of all services, second day of two\n"
        "every h  workers  fits a day  core h a day  most in an hour  busy"
    )
    for hours in (6, 12, 24):
        for workers in (1, 2, 4):
            bench = Bench(fit_s, workers)
            learner = Learner(
                bench, LongSeen(), hours * 3600, DAY_S, STEP_S, fits_at_once=FITS_AHEAD * workers
            )
            for now_s in np.arange(0.0, 2 * DAY_S, cycle_s):
                learner.learn(services, float(now_s))
            second = [at for at in bench.ordered if at >= DAY_S]
            most = np.histogram(second, bins=24, range=(DAY_S, 2 * DAY_S))[0].max()
            busy = len(second) * fit_s / (workers * DAY_S)
            print(
                f"{hours:>7}{workers:>9}{len(second):>12}{len(second) * fit_s / 3600:>14.1f}"
                f"{most:>17}{busy:>6.0%}"
            )


if __name__ == "__main__":
    main()
