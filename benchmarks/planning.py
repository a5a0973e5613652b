"""How cheap the plans are, and how near to the proven best, on the planning benchmark's instances.

    python -m benchmarks.planning [--instances tiny-loose,s10-tight] [--planners auto,greedy] [--time-limit S]
                                  [--rivals cbc,highs] [--rival-limit S] [--drift SHARE]

Each planner plans each instance, and so does each rival: the whole problem as one program, solved by CBC or
HiGHS (see `planning_rivals`). The benchmark's own check.py, which knows no solver, says whether a plan is
feasible and what it costs; where `--bench` names a folder without it, `barista.plan.price` does.
`over best` compares with the cheapest plan known to bounds.json, `certified` is the gap to the bound that
the planner proved itself. `cpu` is processor time of all threads, which grows less on a busy machine; `warm`
and `wcpu` are both times of a second plan, one step later, by the same planner; its demand is what the first
plan was told, or each step's up to `--drift` lower or higher, as forecasts move.
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
from barista.plan.price import price
from barista.plugins import PLANNERS, load_plugin
from barista.ports.planner import Planner
from barista.testing.planners import worked_example
from barista.values.problem import Plan, PlanLimits, Problem
from benchmarks.planning_rivals import RIVALS
from benchmarks.planning_shift import moved, one_step_later

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench" / "planning"
GAP, GAP_OF_MANY, MANY = 0.001, 0.01, 50
"""Relative gaps to stop at: up to `MANY` services, and above."""


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a row for each instance and planner."""
    given = _parsed(arguments)
    instances, known = given.bench / "instances", given.bench / "bounds.json"
    bounds = json.loads(known.read_text())["instances"] if known.is_file() else {}
    names = given.instances.split(",") if given.instances else _in_order(instances, bounds)
    planners = [(_made, name, given.time_limit) for name in given.planners.split(",") if name]
    rivals = [(_rival, name, given.rival_limit) for name in given.rivals.split(",") if name]
    for make, name, _ in planners:
        make(name).plan(worked_example(), PlanLimits())
    if not given.json:
        print(
            f"{'instance':14}{'planner':9}{'cost':>12}{'over best':>11}{'certified':>11}{'seconds':>9}"
            f"{'cpu':>7}{'warm':>7}{'wcpu':>7}  {'check.py'}"
        )
    for instance in names:
        path = instances / f"{instance}.json.gz"
        problem = read_instance(path)
        gap = GAP if len(problem.services) <= MANY else GAP_OF_MANY
        for make, name, limit_s in planners + rivals:
            planner, limits = make(name), PlanLimits(limit_s, gap)
            plan, spent = _timed(planner, problem, limits)
            row = {
                "instance": instance,
                "planner": name,
                **spent,
                "certified_gap": plan.gap,
                **_checked(given.bench / "check.py", path, problem, plan),
            }
            best = bounds.get(instance, {}).get("best_cost")
            row["planned"] = plan.is_usable
            row["over_best"] = row["cost"] / best - 1 if best and plan.is_usable else None
            if make is _made:
                later = moved(one_step_later(problem, plan), given.drift)
                _, again = _timed(planner, later, limits)
                row |= {f"warm_{key}": value for key, value in again.items()}
            print(json.dumps(row) if given.json else _line(row), flush=True)


def _in_order(instances: Path, bounds: Iterable[str]) -> list[str]:
    """The names of all instances, in the order of `bounds` where that is known."""
    return list(bounds) or sorted(path.name.removesuffix(".json.gz") for path in instances.glob("*.json.gz"))


def _made(name: str) -> Planner:
    planner: Planner = load_plugin(PLANNERS, name)
    return planner


def _rival(name: str) -> Planner:
    return RIVALS[name]()


def _timed(planner: Planner, problem: Problem, limits: PlanLimits) -> tuple[Plan, dict[str, float]]:
    begun, begun_cpu = time.perf_counter(), time.process_time()
    plan = planner.plan(problem, limits)
    return plan, {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - begun_cpu,
    }


def _line(row: dict[str, Any]) -> str:
    if not row["planned"]:
        spent = f"{row['seconds']:>9.2f}{row['cpu_seconds']:>7.2f}"
        return f"{row['instance']:14}{row['planner']:9}{'no plan':>12}{'':22}{spent}"
    certified = "none" if row["certified_gap"] is None else f"{row['certified_gap']:.3%}"
    over = "" if row["over_best"] is None else f"{row['over_best']:.3%}"
    warm = (
        f"{row['warm_seconds']:>7.2f}{row['warm_cpu_seconds']:>7.2f}" if "warm_seconds" in row else " " * 14
    )
    verdict = "feasible" if row["feasible"] else f"INFEASIBLE: {row['violations'][0]}"
    return (
        f"{row['instance']:14}{row['planner']:9}{row['cost']:>12.4f}{over:>11}{certified:>11}"
        f"{row['seconds']:>9.2f}{row['cpu_seconds']:>7.2f}{warm}  {verdict}"
    )


def _parsed(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", help="names, separated by commas; default: all")
    parser.add_argument("--planners", default="auto,greedy")
    parser.add_argument("--time-limit", type=float, default=15.0, metavar="S")
    parser.add_argument("--rivals", default="cbc,highs", help="cbc, highs, both or '' (default: both)")
    parser.add_argument("--rival-limit", type=float, default=60.0, metavar="S")
    parser.add_argument("--drift", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--json", action="store_true", help="a JSON object a line instead of a table")
    parser.add_argument("--bench", type=Path, default=BENCH)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if not (given.bench / "instances").is_dir():
        parser.error(f"{given.bench}: not the planning benchmark (no instances/): name it by --bench")
    return given


def _checked(check: Path, instance: Path, problem: Problem, plan: Plan) -> dict[str, Any]:
    """What check.py says of `plan`, or `price` where the benchmark has none."""
    if not check.is_file():
        found = price(problem, plan)
        return {"feasible": found.feasible, "violations": found.violations, "cost": found.cost}
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
