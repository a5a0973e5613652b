"""A fortnight of departures under Barista, Knative's own autoscaler and perfect foresight, in virtual time.

    python -m benchmarks.departures [--setup 60,180] [--step 300] [--forecaster NAME] [--days 14] [--seeds 1]

The bundled trace times 200 (Poisson counts), service times log-normal with mean 80 ms and 95th percentile
120 ms, one request a replica at a time, 50 may wait; objective 400 ms at p95; a replica-hour costs 1. The KPA
has containerConcurrency 1; it and Barista are played over their knobs, and read beside each other at its cost
and at its violations with the default target of 70 %.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from barista.cli.backtest_run import Plan, run
from barista.cli.backtest_trace import of_departures
from barista.cli.lognormal import lognormal
from barista.cli.replay import Case
from barista.load.arrivals import counts_at
from barista.report.backtest import Backtest
from barista.report.backtest_page import write_page
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import DAY_S

RATE_FACTOR, QUEUE_LIMIT = 200, 50
SLO_S, PERCENTILE = 0.4, 0.95
POLICIES = ("barista", "kpa", "oracle")


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


def compared(backtest: Backtest) -> str:
    """The two readings of the curves beside each other."""
    ours, kpa = backtest.policies["barista"], backtest.policies["kpa"].standard
    violations, cost = ours.violations_at(kpa.cost), ours.cost_at(kpa.violations)
    at_cost = (
        "no setting is as cheap"
        if violations is None
        else f"{violations / kpa.violations:.1%} of its violations"
    )
    at_violations = "no setting violates as little" if cost is None else f"{cost / kpa.cost:.1%} of its cost"
    return f"at the KPA's cost: {at_cost}; at its violations: {at_violations}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Print every point, and the comparison, for each set-up time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--setup", default="60,180")
    parser.add_argument("--step", type=float, default=300)
    parser.add_argument("--forecaster", default="ensemble")
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("departures-output"))
    given = parser.parse_args(None if arguments is None else list(arguments))
    for setup_s in map(float, given.setup.split(",")):
        played = case(setup_s, given.step, given.forecaster, given.days)
        output = given.output / f"setup-{setup_s:g}"
        backtest = run(played, f"departures, set-up {setup_s:g} s", Plan(POLICIES, given.seeds, True, output))
        print(f"set-up {setup_s:g} s\n{'policy':9}{'setting':>9}{'violations':>12}{'cost':>9}{'starts':>8}")
        for name, result in backtest.policies.items():
            for point in result.points:
                setting = "default" if point.setting is None else f"{point.setting:g}"
                starts = point.estimate("cold_starts").mean
                print(f"{name:9}{setting:>9}{point.violations:>12.4%}{point.cost:>9.1f}{starts:>8.0f}")
        print(compared(backtest))
        print(f"report: {write_page(output, backtest)}\n", flush=True)


if __name__ == "__main__":
    main()
