"""A fortnight of departures under Barista, Knative's own autoscaler and perfect foresight, in virtual time.

    python -m benchmarks.departures [--setup 60,180] [--step 60] [--days 14] [--within MINUTES]

The bundled trace times 200 (Poisson counts), service times log-normal with mean 80 ms and 95th percentile
120 ms, one request a replica at a time, 50 may wait; objective 400 ms at p95; a replica-hour costs 1. The KPA
has containerConcurrency 1. Each is played over its knob, and Barista is read beside the others at the same
cost and at the same violations. The trace is by the minute, and so is the cycle, unless `--step` says other.

As they come first, then over the knobs. What was played is kept in the output directory: an interrupted run,
or one that stopped after `--within` minutes, goes on where it was when it is called again.
"""

import argparse
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from barista.cli.backtest_run import Plan, run
from barista.cli.backtest_trace import of_departures
from barista.cli.lognormal import lognormal
from barista.cli.replay import Case, play
from barista.cli.tape import Tape
from barista.load.arrivals import counts_at
from barista.report.backtest import Backtest, Figures, Point
from barista.report.backtest_page import write_page
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import DAY_S

RATE_FACTOR, QUEUE_LIMIT = 200, 50
SLO_S, PERCENTILE = 0.4, 0.95
POLICIES = ("barista", "kpa", "oracle")


class OutOfTime(Exception):
    """What was allowed is spent; what was played is kept."""


@dataclass(frozen=True, slots=True)
class KeptPlays:
    """Plays what does not lie in `folder` yet, and keeps it there; OutOfTime after `until_s` (wall clock)."""

    folder: Path
    until_s: float

    def __call__(
        self, case: Case, policy: str, options: Mapping[str, Any], seed: int, tape: Tape | None
    ) -> Figures:
        """The figures of that play."""
        told = (case.fingerprint(), case.profile, case.queue_limit, policy, sorted(options.items()), seed)
        path = self.folder / f"{policy}-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.npz"
        if path.is_file():
            with np.load(path) as kept:
                return Figures(**{name: kept[name] if name == "held" else kept[name].item() for name in kept})
        if time.time() > self.until_s:
            raise OutOfTime
        figures = play(case, policy, options, seed, tape)
        self.folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{of.name: getattr(figures, of.name) for of in fields(figures)})
        return figures


def case(setup_s: float, step_s: float, forecaster: str, days: float) -> Case:
    """The fortnight, or its first `days`, with set-ups of `setup_s`."""
    trace = of_departures(step_s)
    measured = ExecutionProfile("model", "replica", lognormal(0.08, 0.12), Distribution.constant(setup_s))
    return Case(
        service=trace.service,
        demand=counts_at(trace.demand, RATE_FACTOR, seed=0),
        start_s=trace.start_s,
        end_s=min(trace.end_s, trace.start_s + days * DAY_S),
        profile=measured,
        slo_s=SLO_S,
        percentile=PERCENTILE,
        queue_limit=QUEUE_LIMIT,
        forecaster=forecaster,
        calendar=trace.calendar,
    )


def compared(backtest: Backtest, of: str, other: str) -> Iterable[str]:
    """The curve of `of` beside each point of `other`, at its cost and at its violations."""
    result, beside = backtest.policies[of], backtest.policies[other]
    for point in (p for p in (beside.standard, *beside.curve) if p.violations):
        violations, cost = result.violations_at(point.cost), result.cost_at(point.violations)
        at_cost = (
            "is as cheap at no setting"
            if violations is None
            else f"has {violations / point.violations:.1%} of its violations at its cost"
        )
        at_violations = (
            "violates as little at no setting"
            if cost is None
            else f"costs {cost / point.cost:.1%} at its violations"
        )
        yield f"{other} {_setting(point)}: {of} {at_cost}, {at_violations}"


def _setting(point: Point) -> str:
    return "as it comes" if point.setting is None else f"at {point.setting:g}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Print every point, and the comparisons, for each set-up time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--setup", default="60,180")
    parser.add_argument("--step", type=float, default=60)
    parser.add_argument("--forecaster", default="ensemble")
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--within", type=float, default=np.inf, help="minutes after which no play is begun")
    parser.add_argument("--output", type=Path, default=Path("departures-output"))
    given = parser.parse_args(None if arguments is None else list(arguments))
    kept = KeptPlays(given.output / "plays", time.time() + 60 * given.within)
    for setup_s in map(float, given.setup.split(",")):
        played = case(setup_s, given.step, given.forecaster, given.days)
        for backtest in _results(played, f"departures, set-up {setup_s:g} s", given, kept):
            tell(backtest)
            print(f"report: {write_page(given.output / f'setup-{setup_s:g}', backtest)}\n", flush=True)


def _results(played: Case, title: str, given: argparse.Namespace, kept: KeptPlays) -> Iterator[Backtest]:
    """The policies as they come, then over their knobs, as far as there is time."""
    try:
        for knobs in (False, True):
            yield run(played, title, Plan(POLICIES, given.seeds, knobs, given.output, given.workers), kept)
    except OutOfTime:
        print(f"{title}: stopped after {given.within:g} minutes: run it again to go on", flush=True)


def tell(backtest: Backtest) -> None:
    """Print every point, and the curves beside each other."""
    print(f"{backtest.title}\n{'policy':9}{'setting':>12}{'violations':>12}{'cost':>9}{'starts':>8}")
    for name, result in backtest.policies.items():
        for point in result.points:
            starts = point.estimate("cold_starts").mean
            print(f"{name:9}{_setting(point):>12}{point.violations:>12.4%}{point.cost:>9.1f}{starts:>8.0f}")
    for of, other in (("barista", "kpa"), ("oracle", "barista")):
        print("\n".join(compared(backtest, of, other)))


if __name__ == "__main__":
    main()
