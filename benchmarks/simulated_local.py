"""The simulation beside the local platform: the same arrivals, decisions and profiles, in virtual time.

    python -m benchmarks.simulated_local [RUN …] [--minutes 4] [--seeds 20]

A RUN is what a run of `barista demo` left of one policy (DIR/barista, DIR/kpa). Without any, the demo is
played under Barista first: real TorchServe processes behind the router. Each request then comes to the
simulated cluster at the moment it came, and each decision is carried out when it was made.

Service times are drawn from what was `profiled` before the run, with one request after the other and nothing
beside; and from what was `met` in it: the times of requests that found their service idle, on the flavor that
it had, with router, client and controller on the same machine. Prints p95 and the share of violations of both
and of the run. By times as met, p95 shall be within 15 %, violations within 2 points.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from barista.cli.compose import PROFILES, SPEC, ControllerSpec
from barista.cli.virtual import simulated_services
from barista.control.changes import changes_between
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.run import ServiceRun
from barista.profile.store import read_profiles
from barista.report.recording import Run, read_run
from barista.report.records import Cycle, LoggedDecision
from barista.report.scores import score
from barista.values.decision import Decision
from barista.values.flavor import Catalogue
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import Counts, count_by_flavor
from barista.values.service import Authority, ServiceId

QUEUE_LIMIT = 200
P95_WITHIN, VIOLATIONS_WITHIN = 0.15, 0.02
FEWEST_MET = 30
"""Requests that met an idle service on a flavor, for their times to stand for it."""
ANSWERED_WITHIN_S = 60.0


def simulated(
    directory: Path, run: Run, measured: Sequence[ExecutionProfile], seed: int
) -> dict[ServiceId, ServiceRun]:
    """What comes of the run in `directory` when it is played again in virtual time."""
    settings, start_s = ControllerSpec.read(directory / SPEC).parsed(), run.info.started_s
    arrivals = {ServiceId(name): came.arrived_s for name, came in run.requests.items()}
    services = simulated_services(settings, measured, arrivals, {}, _first(run))
    catalogue = settings.catalogue()
    cluster = SimulatedCluster(catalogue, services, start_s, seed=seed, queue_limit=QUEUE_LIMIT)
    for logged in run.decisions:
        if logged.at_s >= start_s:
            cluster.advance(logged.at_s)
            cluster.apply([_again(cluster, logged, catalogue)])
    cluster.advance(run.end_s + ANSWERED_WITHIN_S)
    return dict(cluster.outcome(start_s, run.end_s + ANSWERED_WITHIN_S).services)


def as_met(run: Run, measured: Sequence[ExecutionProfile]) -> list[ExecutionProfile]:
    """The profiles, with the times of requests that found their service idle, where there are enough."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, came in run.requests.items():
        ends_s = came.arrived_s + np.nan_to_num(came.latency_s, nan=np.inf)
        busy_until_s = np.maximum.accumulate(np.append(-np.inf, ends_s[:-1]))
        for k in np.flatnonzero(came.completed & (busy_until_s <= came.arrived_s)).tolist():
            flavors = _ready(_last_before(run, float(came.arrived_s[k])), name)
            if len(flavors) == 1:
                times[run.info.services[name].model, flavors[0]].append(float(came.latency_s[k]))
    met = {key: Distribution.of(of) for key, of in times.items() if len(of) >= FEWEST_MET}
    return [
        replace(profile, service_time=met.get((profile.model, profile.flavor), profile.service_time))
        for profile in measured
    ]


def _last_before(run: Run, at_s: float) -> Cycle:
    number = int(np.searchsorted([cycle.at_s for cycle in run.cycles], at_s, side="right")) - 1
    return run.cycles[max(number, 0)]


def _ready(cycle: Cycle, service: str) -> list[str]:
    seen = cycle.services.get(service)
    return [flavor for flavor, counts in seen.replicas.items() if counts.ready] if seen else []


def _first(run: Run) -> dict[ServiceId, Counts]:
    """Replicas that were there at the beginning, by flavor."""
    return {
        ServiceId(name): {flavor: counts.ready + counts.starting for flavor, counts in seen.replicas.items()}
        for name, seen in _last_before(run, run.info.started_s).services.items()
    }


def _again(cluster: SimulatedCluster, logged: LoggedDecision, catalogue: Catalogue) -> Decision:
    service, final = ServiceId(logged.service), dict(logged.final)
    current = count_by_flavor(cluster.state()[service])
    return Decision(
        service=service,
        at_s=logged.at_s,
        authority=Authority.PIN,
        current=current,
        raw=final,
        bounded=final,
        final=final,
        changes=changes_between(current, final, catalogue),
        ready_at_s=logged.at_s,
        reasons=(),
    )


def compare(directory: Path, seeds: int) -> bool:
    """Print three rows a service of the run in `directory`; whether by times as met all is within bounds."""
    run, profiled, close = read_run(directory), read_profiles(directory / PROFILES), True
    kinds = {"profiled": profiled, "met": as_met(run, profiled)}
    played = {
        kind: [simulated(directory, run, measured, seed) for seed in range(seeds)]
        for kind, measured in kinds.items()
    }
    for name in run.services:
        real = score(run, name)
        real_p95_ms, real_late = real.p95_ms or np.nan, real.slo_violation_ratio or 0.0
        print(f"{run.info.policy}, {name}: {real.requests} requests")
        print(f"  local platform       p95 {real_p95_ms:>5.0f} ms           violations {real_late:>7.2%}")
        for kind, runs in played.items():
            again = [of[ServiceId(name)] for of in runs]
            p95_ms = np.array([1000 * (of.p95_s or np.nan) for of in again])
            late = np.array([of.slo_violation_ratio or 0.0 for of in again])
            off, points = p95_ms.mean() / real_p95_ms - 1, late.mean() - real_late
            within = abs(off) <= P95_WITHIN and abs(points) <= VIOLATIONS_WITHIN
            close &= within or kind == "profiled"
            print(f"  simulated, {kind:9} p95 {p95_ms.mean():>5.0f} ± {p95_ms.std():<3.0f}ms", end="")
            print(f" ({off:+4.0%})  violations {late.mean():>7.2%} ({100 * points:+.2f} points)", flush=True)
    return close


def main(arguments: Iterable[str] | None = None) -> int:
    """Print the rows of all runs; 1 where any is off by more than the bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args(None if arguments is None else list(arguments))
    with tempfile.TemporaryDirectory() as scratch:
        runs = given.runs
        if not runs:
            demo = (sys.executable, "-m", "barista", "demo", "--output", scratch)
            subprocess.run([*demo, "--minutes", f"{given.minutes:g}"], check=True)
            runs = [Path(scratch, "barista")]
        close = [compare(run, given.seeds) for run in runs]
        return 0 if all(close) else 1


if __name__ == "__main__":
    sys.exit(main())
