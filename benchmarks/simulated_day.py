"""One day of departures under Barista and its rivals, in virtual time.

    python -m benchmarks.simulated_day [--forecaster NAME] [--seed N] [--policies barista,kpa,static]

Two services see the departures of 2013-06-12 (the busiest quarter of an hour scaled to 60 and 15
requests/s) with four weeks of history. Made-up profiles: log-normal service times, set-up 60 s give or
take. Prints a row a policy, its wall time, and a digest of all latencies: two runs with one seed print
the same.
"""

import argparse
import hashlib
import time
from collections.abc import Iterable

import numpy as np

from barista.cli.compose import ControllerSpec
from barista.cli.trace import departures
from barista.cli.virtual import play_virtually
from barista.platforms.simulated.run import SimulatedRun
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import DAY_S
from barista.values.service import ServiceId

DAY_MINUTES = DAY_S / 60
PEAK_RPS = {ServiceId("default/small"): 60.0, ServiceId("default/large"): 15.0}
MEAN_S = {"small": 0.03, "large": 0.2}
CPUS = {"cpu-1": 1.0, "cpu-2": 2.0}


def settings(forecaster: str) -> dict[str, object]:
    """The configuration: cycles of five minutes, as long as a planning step can be."""
    return {
        "pools": {"nodes": {"cpu": 24, "memory_gib": 96}},
        "flavors": {
            name: {
                "pool": "nodes",
                "cpu": cpu,
                "memory_gib": 2,
                "cost_per_hour": 0.01 + 0.04 * cpu,
                "family": "two-workers",
            }
            for name, cpu in CPUS.items()
        },
        "defaults": {
            "authority": "pin",
            "flavors": list(CPUS),
            "max_replicas": 20,
            "concurrency": 2,
            "forecaster": {"name": forecaster},
        },
        "services": [
            {"name": "small", "model": "small", "latency_slo_ms": 150},
            {"name": "large", "model": "large", "latency_slo_ms": 1000},
        ],
        "planner": {"name": "auto", "options": {"gap": 0.01}},
        "control": {
            "cycle_s": 300,
            "surge_s": 30,
            "step_min_s": 300,
            "learn_s": DAY_S,
            "window_s": 60,
            "stabilisation_s": 600,
        },
        "time_zone": "America/New_York",
    }


def profiles(seed: int = 0) -> list[ExecutionProfile]:
    """Log-normal service times (twice the cpu, a little less than half the time); set-up 50 to 75 s."""
    chance = np.random.default_rng(seed)
    shape, setup = chance.lognormal(0.0, 0.2, 4000), Distribution.of(chance.uniform(50, 75, 200))
    return [
        ExecutionProfile(
            model, flavor, Distribution.of(mean_s / cpu**0.9 * shape / shape.mean()), setup, workers=2
        )
        for model, mean_s in MEAN_S.items()
        for flavor, cpu in CPUS.items()
    ]


def play(policy: str, forecaster: str, seed: int, hours: float = 24.0) -> SimulatedRun:
    """The first `hours` of the day under `policy`."""
    trace = departures(PEAK_RPS, DAY_MINUTES, seed)
    calendar = trace.calendar(0.0)
    start_s = calendar.calendar_s
    spec = ControllerSpec(
        settings=settings(forecaster),
        policy=policy,
        policy_options={"peak_rps": PEAK_RPS} if policy == "static" else {},
        calendar=trace.calendar(start_s),
        seed=seed,
    )
    end_s = start_s + hours * 3600
    return play_virtually(
        spec,
        profiles(),
        {service: start_s + times for service, times in trace.arrivals.items()},
        trace.past_until(start_s, start_s),
        {service: {"cpu-1": 1} for service in PEAK_RPS},
        (start_s, end_s),
    )


def digest(run: SimulatedRun) -> str:
    """A fingerprint of all latencies and of the cost."""
    found = hashlib.sha256()
    for service, part in sorted(run.services.items()):
        found.update(service.encode() + part.latencies_s.tobytes() + repr(part.cost).encode())
    return found.hexdigest()[:12]


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a row for each policy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--forecaster", default="neuralprophet")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--policies", default="barista,kpa,static")
    given = parser.parse_args(None if arguments is None else list(arguments))
    print(f"{'policy':10}{'requests':>10}{'violations':>12}{'cost':>9}{'starts':>8}{'wall s':>8}  digest")
    for policy in given.policies.split(","):
        begun = time.perf_counter()
        run = play(policy, given.forecaster, given.seed)
        wall_s = time.perf_counter() - begun
        print(
            f"{policy:10}{run.requests:>10,}{run.slo_violation_ratio or 0:>12.3%}{run.cost:>9.3f}"
            f"{run.cold_starts:>8}{wall_s:>8.1f}  {digest(run)}"
        )


if __name__ == "__main__":
    main()
