"""How near the predicted largest rates are to those of simulated queues, and of a real model server.

    python -m benchmarks.capacity [--rules least-loaded,…] [--models mgc,mdc,…] [--requests N] [--all]
    python -m benchmarks.capacity --torchserve [--models-of-store digits,…] [--flavors 0.25x2,…] [--seconds S]

Simulated: requests one by one under each dispatch rule (`benchmarks.dispatching`), for counts of replicas
and workers, service-time distributions, ratios of SLO to mean service time, and percentiles. Prints, for
each rule and model, the share of cases predicted within 5 %, the median and the worst error; `--all` prints
each case. Cases in which the queue keeps the SLO only below a fifth of its utilisation are counted apart
(`light`): there hardly anyone waits, and a small difference in the tail is a large one in the rate.

Real (`--torchserve`, wants a quiet machine): each model's profile is measured on each flavor
(CPUxREPLICAS), then as many replicas are loaded through the local router's dispatch at rates around the
predicted one; the measured rate is where the late requests reach what the SLO allows. The SLO is four
times the mean service time, at p95.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from barista.capacity.make import NAMES, capacity_model
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import FloatArray
from barista.values.service import DispatchRule, Slo
from benchmarks.dispatching import Queue
from benchmarks.torchserve_capacity import measured_cases

RATIOS, PERCENTILES = (1.5, 2.0, 3.0, 5.0, 10.0), (0.9, 0.95, 0.99)
COUNTS = ((1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (20, 1), (2, 2), (4, 4))
"""(replicas, workers of each)."""
LIGHT = 0.2
NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """One queue: its service times (mean 1 s) and sizes, and what is asked of it."""

    times: str
    rule: DispatchRule
    replicas: int
    workers: int
    slo: Slo


def service_times(seed: int = 0, samples: int = 20_000) -> dict[str, Distribution]:
    """Service times of mean about 1 s by name: fixed, log-normal by coefficient of variation, exponential."""
    chance = np.random.default_rng(seed)

    def log_normal(cv: float) -> FloatArray:
        sigma = np.sqrt(np.log1p(cv**2))
        times: FloatArray = np.exp(sigma * chance.standard_normal(samples) - sigma**2 / 2)
        return times

    return {
        "fixed": Distribution.constant(1.0),
        **{f"log-normal {cv:g}": Distribution.of(log_normal(cv)) for cv in (0.1, 0.3, 0.6, 1.0)},
        "exponential": Distribution.of(chance.exponential(1.0, samples)),
    }


def cases(rules: Iterable[DispatchRule], times: Iterable[str]) -> Iterator[Case]:
    """Every combination."""
    for rule in rules:
        for name in times:
            for replicas, workers in COUNTS:
                for ratio in RATIOS:
                    for percentile in PERCENTILES:
                        yield Case(name, rule, replicas, workers, Slo(ratio, percentile))


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the tables."""
    given = _parsed(arguments)
    if given.torchserve:
        _print_measured(given)
        return
    times = service_times()
    rules = [DispatchRule(rule) for rule in given.rules.split(",")]
    errors: dict[tuple[DispatchRule, str, bool], list[float]] = {}
    begun = time.perf_counter()
    for case in cases(rules, times):
        law = times[case.times]
        queue = Queue(law, case.rule, case.replicas, case.workers, given.requests)
        simulated = queue.largest_rps(case.slo)
        if simulated == 0:
            continue  # the service times alone leave the SLO no room
        profile = ExecutionProfile("net", "any", law, Distribution.constant(1.0), workers=case.workers)
        for name in given.models.split(","):
            predicted = capacity_model(name).rps(profile, case.slo, case.rule, case.replicas)
            error = predicted / simulated - 1
            errors.setdefault((case.rule, name, simulated < LIGHT * queue.full_rps), []).append(error)
            if given.all:
                print(
                    f"{case.rule:13}{name:10}{case.times:16}{case.replicas:>3} x {case.workers}"
                    f"{case.slo.latency_s:>6g}{case.slo.percentile:>6g}{simulated:>9.3f}{predicted:>9.3f}{error:>+8.1%}"
                )
    print(f"{'rule':13}{'model':11}{'cases':>6}{'within 5 %':>12}{'median':>8}{'worst':>9}   load")
    for (rule, name, light), found in sorted(errors.items()):
        sizes = np.abs(found)
        worst = found[int(np.argmax(sizes))]
        print(
            f"{rule:13}{name:11}{len(found):>6}{np.mean(sizes <= NEAR):>12.1%}{np.median(sizes):>8.1%}"
            f"{worst:>+9.1%}   {'light' if light else ''}"
        )
    print(f"{time.perf_counter() - begun:.0f} s")


def _print_measured(given: argparse.Namespace) -> None:
    print(
        f"{'model':10}{'flavor':>8}{'replicas':>9}{'SLO ms':>8}{'predicted':>11}{'measured':>10}{'error':>8}"
    )
    models, flavors = given.models_of_store.split(","), given.flavors.split(",")
    begun = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - begun:6.0f} s  {text}", file=sys.stderr, flush=True)

    for found in measured_cases(models, flavors, given.seconds, say):
        print(
            f"{found.model:10}{found.cpu:>8g}{found.replicas:>9}{found.slo.latency_s * 1000:>8.0f}"
            f"{found.predicted_rps:>11.2f}{found.measured_rps:>10.2f}"
            f"{found.predicted_rps / found.measured_rps - 1:>+8.1%}   {found.note}",
            flush=True,
        )


def _parsed(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", default="least-loaded,round-robin,two-choices,random")
    parser.add_argument("--models", default="mgc,mdc,mmc,published", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--requests", type=int, default=200_000, help="in each simulated queue")
    parser.add_argument("--all", action="store_true", help="print every case")
    parser.add_argument("--torchserve", action="store_true", help="hold it against real model servers")
    parser.add_argument("--models-of-store", default="digits,resnet50")
    parser.add_argument("--flavors", default="0.25x2,0.5x2,1x1", metavar="CPUxREPLICAS,…")
    parser.add_argument("--seconds", type=float, default=30.0, help="at each rate of a real server")
    return parser.parse_args(None if arguments is None else list(arguments))


if __name__ == "__main__":
    main()
