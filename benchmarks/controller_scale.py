"""Cycle time and memory of one controller for 10, 100 and 1,000 simulated services, and how both grow.

    python -m benchmarks.controller_scale [--services 10,100,1000] [--cycles 10] [--forecaster seasonal-naive]

Every service sees Poisson requests at a rate of its own around two a second, after two days of history; each
size runs in a fresh process. Surge is off: only cycles are timed, the first (which imports and fits) apart.
"""

import argparse
import resource
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from barista.cli.adapters import Adapters
from barista.cli.compose import ControllerSpec, compose
from barista.cli.lognormal import lognormal
from barista.cli.virtual import simulated_services
from barista.load.arrivals import counted_arrivals, counts_at
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import DAY_S, Demand
from barista.values.service import ServiceId
from barista.workers import Inline, KillingPool

START_S, STEP_S, CYCLE_S = 1_700_006_400.0, 60.0, 30.0
DAYS = 2


def settings(count: int, forecaster: str) -> dict[str, Any]:
    """A pool with room for all, one flavor."""
    return {
        "pools": {"nodes": {"cpu": 20 * count, "memory_gib": 20 * count}},
        "flavors": {"replica": {"pool": "nodes", "cpu": 1, "memory_gib": 1, "cost_per_hour": 1}},
        "defaults": {"authority": "pin", "latency_slo_ms": 400, "forecaster": {"name": forecaster}},
        "services": [{"name": f"s{number}", "model": "m"} for number in range(count)],
        "control": {"cycle_s": CYCLE_S, "surge": False, "step_min_s": STEP_S, "step_max_s": STEP_S},
    }


def measured(count: int, cycles: int, forecaster: str) -> tuple[float, list[float], float]:
    """(seconds of the first cycle, of each later one, the process's largest memory in MiB)."""
    profile = ExecutionProfile("m", "replica", lognormal(0.08, 0.12), Distribution.constant(60.0))
    spec = ControllerSpec(settings=settings(count, forecaster))
    names = [ServiceId(f"default/s{number}") for number in range(count)]
    day = 2 + np.sin(2 * np.pi * np.arange(round(DAYS * DAY_S / STEP_S)) * STEP_S / DAY_S)
    past = {
        name: counts_at(Demand(START_S - DAYS * DAY_S, STEP_S, day), 1 + number % 3, seed=number)
        for number, name in enumerate(names)
    }
    ahead = Demand(START_S, STEP_S, day[: round((cycles + 1) * CYCLE_S / STEP_S) + 1])
    arrivals = {
        name: counted_arrivals(counts_at(ahead, 1 + number % 3, seed=number), number)
        for number, name in enumerate(names)
    }
    here = Inline()
    parsed = spec.parsed()
    services = simulated_services(parsed, [profile], arrivals, past, {name: {"replica": 1} for name in names})
    cluster = SimulatedCluster(parsed.catalogue(), services, START_S)
    controller = compose(spec, [profile], Adapters(cluster, cluster, here, here, here), None, live=False)
    took = []
    for cycle in range(cycles + 1):
        cluster.advance(START_S + cycle * CYCLE_S)
        begun = time.perf_counter()
        controller.tick(START_S + cycle * CYCLE_S)
        took.append(time.perf_counter() - begun)
    return took[0], took[1:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a row for each number of services, and the exponents of growth between them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--services", default="10,100,1000")
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--forecaster", default="seasonal-naive")
    given = parser.parse_args(None if arguments is None else list(arguments))
    print(f"{'services':>9}{'first s':>9}{'median s':>10}{'worst s':>9}{'MiB':>8}  growth of time, memory")
    before: tuple[int, float, float] | None = None
    for count in map(int, given.services.split(",")):
        with KillingPool() as pool:
            first_s, later_s, memory_mib = pool.submit(
                measured, count, given.cycles, given.forecaster
            ).result()
        median_s = float(np.median(later_s))
        growth = ""
        if before is not None:
            times = np.log(count / before[0])
            grown = (np.log(median_s / before[1]), np.log(memory_mib / before[2]))
            growth = ", ".join(f"n^{by / times:.2f}" for by in grown)
        print(
            f"{count:>9}{first_s:>9.2f}{median_s:>10.3f}{max(later_s):>9.3f}{memory_mib:>8.0f}  {growth}",
            flush=True,
        )
        before = count, median_s, memory_mib


if __name__ == "__main__":
    main()
