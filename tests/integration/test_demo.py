"""The demo, and what becomes of it when its parts are killed. Real TorchServe, Prometheus, processes."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

MINUTES = 1.5
FLAVOR_CPU = {"cpu-250m": 0.25, "cpu-500m": 0.5, "cpu-1": 1.0}

pytestmark = pytest.mark.timeout(600)


@contextlib.contextmanager
def demo(output: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = (sys.executable, "-m", "barista", "demo", "--minutes", str(MINUTES), "--output", str(output))
    with (output.parent / "demo.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, KeyError):
            if found := true():
                return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {within_s} s")


def told(run: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run / "supervisor.json").read_text())
    return document


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def asked(run: Path) -> list[dict[str, str]]:
    with (run / "requests.csv").open() as file:
        return list(csv.DictReader(file))


def lowers(decision: dict[str, Any]) -> bool:
    before, after = decision["from"], decision["to"]
    if decision["kind"] == "vertical":
        return FLAVOR_CPU[after] < FLAVOR_CPU[before]
    return after < before


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run in which a replica, Prometheus and the controller are killed, one after the other."""
    output = tmp_path_factory.mktemp("demo") / "out"
    run = output / "barista"
    killed: dict[str, float] = {}
    with demo(output) as process:
        until(lambda: len(asked(run)) > 50, 300, "first requests")
        replica = told(run)["replicas"]
        victim = next(pid for name, pid in replica.items() if name.startswith("digits"))
        os.kill(victim, signal.SIGKILL)
        killed["replica"] = time.time()
        time.sleep(8)
        os.kill(told(run)["children"]["prometheus"], signal.SIGKILL)
        killed["prometheus"] = time.time()
        time.sleep(8)
        os.kill(told(run)["children"]["controller"], signal.SIGKILL)
        killed["controller"] = time.time()
        status = process.wait(300)
    return {
        "status": status,
        "said": (output.parent / "demo.log").read_text(),
        "killed": killed,
        "report": json.loads((output / "report.json").read_text()) if not status else {},
        "run": run,
    }


def test_the_demo_ends_well_all_the_same(story):
    assert story["status"] == 0, story["said"][-2000:]
    components = story["report"]["components"]
    assert all(components[name] for name in ("torchserve", "prometheus", "cbc"))


def test_every_request_was_answered_or_counted_as_failed(story):
    requests = asked(story["run"])
    for service in story["report"]["services"]:
        mine = [row for row in requests if row["service"] == service["name"]]
        answered = [row for row in mine if row["status"].startswith("2")]
        assert service["requests"] == len(mine) > 0
        assert service["completed"] == len(answered)
        assert service["failed"] == len(mine) - len(answered)


def test_once_the_parts_are_back_requests_are_answered_as_before(story):
    rows = asked(story["run"])
    # The only replica of a service was killed: a start later its successor serves.
    after = [row for row in rows if float(row["arrived_s"]) > story["killed"]["controller"] + 10]
    answered = [row for row in after if row["status"].startswith("2")]
    assert len(answered) > 0.98 * len(after) > 0


def test_requests_of_a_service_whose_replica_lives_are_all_answered(story):
    rows = [row for row in asked(story["run"]) if row["service"] == "default/resnet50"]
    assert all(row["status"].startswith("2") for row in rows)


def test_a_killed_replica_was_noticed_and_replaced(story):
    usage = json.loads((story["run"] / "usage.json").read_text())
    assert usage["default/digits"]["crashes"] >= 1
    assert usage["default/digits"]["cold_starts"] >= 1


def test_without_prometheus_demand_is_missing_and_not_zero(story):
    away_s, back_s = story["killed"]["prometheus"], story["killed"]["controller"]
    cycles = [c for c in lines(story["run"] / "cycles.jsonl") if away_s < c["at"] < back_s]
    seen = [service for cycle in cycles for service in cycle["services"].values()]
    assert any(service["freshness"] != "fresh" for service in seen)
    blind = [service for service in seen if service["freshness"] == "missing"]
    assert all(service["demand_rps"] is None for service in blind)


def test_the_controller_comes_back_and_lowers_nothing_before_it_sees(story):
    killed_s = story["killed"]["controller"]
    cycles = [cycle["at"] for cycle in lines(story["run"] / "cycles.jsonl") if cycle["at"] > killed_s]
    assert cycles, "no cycle after the controller was killed"
    stabilisation_s = 10
    early = [
        decision
        for decision in lines(story["run"] / "decisions.jsonl")
        if killed_s < decision["at"] < cycles[0] + stabilisation_s
    ]
    assert not [decision for decision in early if lowers(decision)]


def test_nothing_is_left_five_seconds_after_the_supervisor_was_killed(tmp_path):
    output = tmp_path / "out"
    with demo(output) as process:
        until(lambda: len(asked(output / "barista")) > 10, 300, "first requests")
        family = psutil.Process(process.pid).children(recursive=True)
        names = " ".join(" ".join(p.cmdline()) for p in family)
        for part in ("ModelServer", "prometheus", "router", "control", "load.client", "reaper"):
            assert part in names
        process.kill()
        process.wait()
        time.sleep(5)
        assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
