"""`barista run`: a model of one's own configuration is served, watched, and gone when asked."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from barista.models import build_models

SERVICES = """\
pools: {local: {cpu: 2, memory_gib: 8}}
flavors:
  cpu-500m: {pool: local, cpu: 0.5, memory_gib: 1, cost_per_hour: 0.02, family: one-worker}
  cpu-1: {pool: local, cpu: 1, memory_gib: 1, cost_per_hour: 0.04, family: one-worker}
defaults: {latency_slo_ms: 250, max_replicas: 2, forecaster: {name: seasonal-naive}}
services: [{name: digits, model: digits}]
planner: {name: greedy}
control: {cycle_s: 1, step_min_s: 5, window_s: 5, stabilisation_s: 5}
"""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "services.yaml").write_text(SERVICES)
    argv = (sys.executable, "-m", "barista", "run", "services.yaml", "--output", "out")
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(argv, cwd=tmp_path, stdout=said, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 240
        while "POST" not in (tmp_path / "said").read_text():
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.2)
        yield process, tmp_path
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_a_model_is_served_and_under_advise_nothing_is_changed(run):
    process, directory = run
    url = next(w for w in (directory / "said").read_text().split() if w.startswith("http"))
    digits = build_models(["digits"])["digits"]
    cycles, deadline = directory / "out" / "cycles.jsonl", time.monotonic() + 60
    while not cycles.exists() or not any(_saw_demand(line) for line in cycles.read_text().splitlines()):
        assert time.monotonic() < deadline, "demand was never seen"
        answer = requests.post(
            url, data=digits.body(), headers={"Content-Type": digits.content_type}, timeout=30
        )
        assert answer.status_code == 200
        assert answer.json()["digit"] == digits.answer["digit"]
        time.sleep(0.1)
    assert not (directory / "out" / "decisions.jsonl").exists()

    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def _saw_demand(line: str) -> bool:
    return bool(json.loads(line)["services"]["default/digits"]["demand_rps"])
