"""How cheap the plans are, and how near to the proven best, on the planning benchmark's instances.

    python -m benchmarks.planning [--instances tiny-loose,s10-tight] [--planners auto,greedy] [--time-limit S]

Each planner plans each instance; the benchmark's own check.py, which knows no solver, says whether the plan
is feasible and what it costs. `over best` compares with the cheapest plan known, `certified` is the gap to
the bound that the planner proved itself. The benchmark (instances, bounds.json, check.py) is looked for
beside the checkout, in shared/bench/planning, or where `--bench` says. `cpu` is processor time of all
threads, which does not grow on a busy machine; `warm` the wall time of a second plan, one step later, by
the same planner.
Compiled code is loaded before the first clock starts.
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
from barista.testing.planners import worked_example
from barista.values.problem import Plan, PlanLimits
from benchmarks.planning_shift import one_step_later

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench" / "planning"
GAP, GAP_OF_MANY, MANY = 0.001, 0.01, 50
"""Relative gaps to stop at: up to `MANY` services, and above."""


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a row for each instance and planner."""
    given = _parsed(arguments)
    bounds = json.loads((given.bench / "bounds.json").read_text())["instances"]
    names = given.planners.split(",")
    for planner in names:
        _made(planner).plan(worked_example(), PlanLimits())
    if not given.json:
        print(
            f"{'instance':14}{'planner':9}{'cost':>12}{'over best':>11}{'certified':>11}{'seconds':>9}"
            f"{'cpu':>7}{'warm':>7}  check.py"
        )
    for name in given.instances.split(",") if given.instances else bounds:
        path = given.bench / "instances" / f"{name}.json.gz"
        problem = read_instance(path)
        limits = PlanLimits(given.time_limit, GAP if len(problem.services) <= MANY else GAP_OF_MANY)
        for planner in map(_made, names):
            begun, begun_cpu = time.perf_counter(), time.process_time()
            plan = planner.plan(problem, limits)
            row = {
                "instance": name,
                "planner": planner.name,
                "seconds": time.perf_counter() - begun,
                "cpu_seconds": time.process_time() - begun_cpu,
                "certified_gap": plan.gap,
                **_checked(given.bench / "check.py", path, plan),
            }
            later = one_step_later(problem, plan)
            begun = time.perf_counter()
            planner.plan(later, limits)
            row["warm_seconds"] = time.perf_counter() - begun
            row["over_best"] = row["cost"] / bounds[name]["best_cost"] - 1
            print(json.dumps(row) if given.json else _line(row), flush=True)


def _made(name: str) -> Planner:
    planner: Planner = load_plugin(PLANNERS, name)
    return planner


def _line(row: dict[str, Any]) -> str:
    certified = "none" if row["certified_gap"] is None else f"{row['certified_gap']:.3%}"
    verdict = "feasible" if row["feasible"] else f"INFEASIBLE: {row['violations'][0]}"
    return (
        f"{row['instance']:14}{row['planner']:9}{row['cost']:>12.4f}{row['over_best']:>11.3%}{certified:>11}"
        f"{row['seconds']:>9.2f}{row['cpu_seconds']:>7.2f}{row['warm_seconds']:>7.2f}  {verdict}"
    )


def _parsed(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", help="names, separated by commas; default: all")
    parser.add_argument("--planners", default="auto,greedy")
    parser.add_argument("--time-limit", type=float, default=15.0, metavar="S")
    parser.add_argument("--json", action="store_true", help="a JSON object a line instead of a table")
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
