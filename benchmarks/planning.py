"""How cheap the plans are, and how near to the proven best, on the planning benchmark's instances.

    python -m benchmarks.planning [--instances tiny-loose,s10-tight] [--planners auto,greedy] [--time-limit S]

Each planner plans each instance; the benchmark's own check.py, which knows no solver, says whether the plan
is feasible and what it costs. `over best` compares with the cheapest plan known, `certified` is the gap to
the bound that the planner proved itself. The benchmark (instances, bounds.json, check.py) is looked for
beside the checkout, in shared/bench/planning, or where `--bench` says.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from barista.plan.instance import read_instance, write_plan
from barista.plugins import PLANNERS, load_plugin
from barista.ports.planner import Planner
from barista.values.problem import Plan, PlanLimits

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench" / "planning"
GAP, GAP_OF_MANY, MANY = 0.001, 0.01, 50
"""Relative gaps to stop at: up to `MANY` services, and above."""


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a row for each instance and planner."""
    given = _parsed(arguments)
    bounds = json.loads((given.bench / "bounds.json").read_text())["instances"]
    print(
        f"{'instance':14}{'planner':9}{'cost':>12}{'over best':>11}{'certified':>11}{'seconds':>9}  check.py"
    )
    for name in given.instances.split(",") if given.instances else bounds:
        path = given.bench / "instances" / f"{name}.json.gz"
        problem = read_instance(path)
        limits = PlanLimits(given.time_limit, GAP if len(problem.services) <= MANY else GAP_OF_MANY)
        for planner in given.planners.split(","):
            made: Planner = load_plugin(PLANNERS, planner)
            begun = time.perf_counter()
            plan = made.plan(problem, limits)
            seconds = time.perf_counter() - begun
            checked = _checked(given.bench / "check.py", path, plan)
            over = checked["cost"] / bounds[name]["best_cost"] - 1
            certified = "none" if plan.gap is None else f"{plan.gap:.3%}"
            verdict = "feasible" if checked["feasible"] else f"INFEASIBLE: {checked['violations'][0]}"
            print(
                f"{name:14}{planner:9}{checked['cost']:>12.4f}{over:>11.3%}{certified:>11}{seconds:>9.2f}"
                f"  {verdict}",
                flush=True,
            )


def _parsed(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", help="names, separated by commas; default: all")
    parser.add_argument("--planners", default="auto,greedy")
    parser.add_argument("--time-limit", type=float, default=15.0, metavar="S")
    parser.add_argument("--bench", type=Path, default=BENCH)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if not (given.bench / "bounds.json").is_file():
        parser.error(f"{given.bench}: not the planning benchmark (no bounds.json): name it by --bench")
    return given


def _checked(check: Path, instance: Path, plan: Plan) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "plan.json"
        write_plan(written, plan)
        argv = (sys.executable, str(check), str(instance), str(written))
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
    if told.returncode > 1:
        sys.exit(f"{check}: {told.stderr.strip()}")
    document: dict[str, Any] = json.loads(told.stdout)
    return document


if __name__ == "__main__":
    main()
