"""Scenarios: a configuration with a trace, played under a policy; what is wrong is told where it is."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from barista.cli.main import app

SCENARIO = {
    "pools": {"nodes": {"cpu": 20, "memory_gib": 80}},
    "flavors": {"cpu-1": {"pool": "nodes", "cpu": 1, "memory_gib": 1, "cost_per_hour": 0.05}},
    "defaults": {"authority": "pin", "max_replicas": 5, "forecaster": {"name": "last-value"}},
    "services": [{"name": "a", "model": "m"}, {"name": "b", "model": "m"}],
    "control": {"cycle_s": 300, "step_min_s": 300, "step_max_s": 300, "learn_s": 86400, "surge_s": 60},
}
TRACE = {
    "days": 0.5,
    "peak_rps": {"default/a": 20, "default/b": 3},
    "service_time_ms": {"m": {"cpu-1": "40:60"}},
}


def simulate(tmp_path, trace, *more, **changed):
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(SCENARIO | changed | ({"trace": trace} if trace is not None else {})))
    return CliRunner().invoke(app, ["simulate", str(path), *more])


def test_each_policy_is_played_on_the_same_requests(tmp_path):
    done = simulate(tmp_path, TRACE, "--policies", "barista,static", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)["policies"]
    barista, static = (made[name]["services"] for name in ("barista", "static"))
    assert {name: of["requests"] for name, of in barista.items()} == {
        name: of["requests"] for name, of in static.items()
    }
    assert all(of["requests"] > 0 and of["cost"] > 0 for of in barista.values())


def test_a_dearer_flavor_makes_it_dearer(tmp_path):
    dear = {"cpu-1": {**SCENARIO["flavors"]["cpu-1"], "cost_per_hour": 0.1}}
    one, other = (
        json.loads(simulate(tmp_path, TRACE, "--policies", "static", "--json", **changed).stdout)
        for changed in ({}, {"flavors": dear})
    )
    cost, dearer = (of["policies"]["static"]["cost"] for of in (one, other))
    assert dearer == pytest.approx(2 * cost)


@pytest.mark.parametrize(
    ("trace", "complaint"),
    [
        (None, "no section trace"),
        ({**TRACE, "peak_rps": {"default/a": 20}}, "trace.peak_rps: default/b: name every service once"),
        ({**TRACE, "speed": 2}, "trace.speed: Extra inputs"),
        ({**TRACE, "service_time_ms": {}}, "default/a: nothing says how fast m is on cpu-1"),
        ({**TRACE, "service_time_ms": {"m": {"cpu-1": "40"}}}, "trace.service_time_ms.m.cpu-1: '40'"),
    ],
)
def test_a_wrong_scenario_is_told_in_one_line(tmp_path, trace, complaint):
    done = simulate(tmp_path, trace)
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
