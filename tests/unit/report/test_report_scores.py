"""The figures of a run, and when a scale-up counts as ahead of the load."""

from dataclasses import replace

import numpy as np
import pytest

from barista.report.headline import headline, percent
from barista.report.recording import Requests, Run
from barista.report.records import Cycle, LoggedDecision, RunInfo, Usage
from barista.report.scores import (
    ahead_of_load,
    cost_so_far,
    replica_seconds,
    report_json,
    score,
    scores,
    total,
)

START_S = 1000.0
INFO = RunInfo.model_validate(
    {
        "policy": "barista",
        "started_s": START_S,
        "minutes": 2,
        "clock": {"rate": 720, "day": "2013-07-10"},
        "services": {"ns/a": {"model": "m", "slo_latency_s": 0.2, "slo_percentile": 0.95}},
        "flavors": {"small": {"cpu": 1, "cost_per_hour": 36}, "big": {"cpu": 2, "cost_per_hour": 72}},
    }
)


def cycle(at, ready=1, starting=0, capacity=5.0, flavor="small"):
    replicas = {flavor: {"ready": ready, "starting": starting}}
    seen = {"ns/a": {"replicas": replicas, "capacity_rps": capacity}}
    return Cycle.model_validate({"at": START_S + at, "cycle_ms": 10 + at, "services": seen})


def decision(at, before, after, ready_at=None, **more):
    line = {"at": START_S + at, "service": "ns/a", "kind": "horizontal", "flavor": "small"}
    ready = None if ready_at is None else START_S + ready_at
    return LoggedDecision.model_validate(line | {"from": before, "to": after, "ready_at": ready} | more)


def requests(arrived, status=None, latency=None):
    n = len(arrived)
    return Requests(
        START_S + np.asarray(arrived, dtype=float),
        np.full(n, 200) if status is None else np.asarray(status),
        np.full(n, 0.1) if latency is None else np.asarray(latency, dtype=float),
    )


def busy(from_s, to_s, rps):
    return np.arange(from_s, to_s, 1 / rps)


def run_of(cycles, decisions=(), arrivals=None, usage=None):
    sent = requests([1.0]) if arrivals is None else arrivals
    return Run(INFO, tuple(cycles), tuple(decisions), {"ns/a": sent}, usage)


def test_late_failed_and_unanswered_requests_are_violations():
    arrivals = requests(
        arrived=[1, 2, 3, 4, 5],
        status=[200, 200, 200, 503, 0],
        latency=[0.1, 0.2, 0.21, 0.01, np.nan],  # 0.2 s is still within 0.2 s
    )
    part = score(run_of([cycle(0)], arrivals=arrivals), "ns/a")
    assert (part.requests, part.completed, part.failed) == (5, 3, 2)
    assert part.slo_violation_ratio == 3 / 5
    assert part.p50_ms == pytest.approx(200)  # of the answered ones alone


def test_without_requests_there_is_no_ratio_and_no_percentile():
    part = score(run_of([cycle(0)], arrivals=requests([])), "ns/a")
    assert (part.slo_violation_ratio, part.p50_ms, part.p95_ms) == (None, None, None)


def test_usage_is_the_agents_count():
    used = Usage(replica_seconds={"small": 130.0}, cost=1.5, cold_starts=2, crashes=1)
    part = score(run_of([cycle(0)], usage={"ns/a": used}), "ns/a")
    assert part.document() | {"p50_ms": 0, "p95_ms": 0} == {
        "name": "ns/a",
        "requests": 1,
        "completed": 1,
        "failed": 0,
        "slo_violation_ratio": 0.0,
        "p50_ms": 0,
        "p95_ms": 0,
        "replica_seconds": 130.0,
        "cost": 1.5,
        "cold_starts": 2,
    }


def test_a_run_that_was_cut_off_is_added_up_from_its_cycles():
    cycles = [cycle(0, ready=1), cycle(10, ready=1, starting=1), cycle(20, ready=2)]
    run = run_of(cycles, arrivals=requests([29.0]))  # last seen at 29 s: ends at 30 s
    assert replica_seconds(run, "ns/a") == {"small": 10 + 20 + 20}
    times, spent = cost_so_far(INFO, run.cycles, "ns/a", run.end_s)
    assert list(times - START_S) == [0, 10, 20, 30]
    assert list(spent) == pytest.approx([0, 0.1, 0.3, 0.5])  # 36 an hour is 0.01 a second
    part = score(run, "ns/a")
    assert part.cost == pytest.approx(0.5)
    assert part.cold_starts is None
    assert "cut off" in headline({"barista": run})[0]


def test_sums_over_services_add_counts_but_no_percentiles(runs):
    parts = scores(runs["barista"])
    whole = total(parts)
    assert whole.requests == sum(p.requests for p in parts)
    assert whole.violations == sum(p.violations for p in parts)
    assert whole.cost == pytest.approx(sum(p.cost for p in parts))
    assert set(whole.replica_seconds) == {"cpu-1", "cpu-2"}
    assert whole.p95_ms is None


STEADY = [cycle(t) for t in range(0, 30, 5)]
GROWN = [cycle(t, ready=2, capacity=10.0) for t in range(30, 120, 5)]
RISE = decision(10, 1, 2, ready_at=30)


def test_a_scale_up_that_is_ready_before_its_load_is_ahead():
    arrivals = requests(np.concatenate([busy(0, 50, 4), busy(50, 80, 8)]))
    (ahead,) = ahead_of_load(run_of(STEADY + GROWN, [RISE], arrivals))
    assert ahead.capacity_before_rps == 5.0
    assert ahead.exceeded_at_s == START_S + 50
    assert ahead.exceeded_rps == pytest.approx(8.0)
    assert ahead.lead_s == 20


@pytest.mark.parametrize(
    ("arrived", "decisions", "cycles"),
    [
        pytest.param(busy(0, 100, 4), [RISE], STEADY + GROWN, id="no load ever needed it"),
        pytest.param(busy(20, 80, 8), [RISE], STEADY + GROWN, id="the load came before it was ready"),
        pytest.param(busy(10, 20, 8), [RISE], STEADY + GROWN, id="the load was there when it was ordered"),
        pytest.param(
            busy(50, 80, 8), [RISE], [cycle(t) for t in range(0, 120, 5)], id="it was never seen ready"
        ),
        pytest.param(
            busy(50, 80, 8), [RISE, decision(40, 2, 1)], STEADY + GROWN, id="it was given up before"
        ),
        pytest.param(busy(50, 80, 8), [decision(10, 1, 2)], STEADY + GROWN, id="its readiness is not known"),
        pytest.param(busy(50, 80, 8), [decision(10, 2, 1, 30)], STEADY + GROWN, id="it is a scale-down"),
    ],
)
def test_a_scale_up_is_not_ahead_when(arrived, decisions, cycles):
    assert ahead_of_load(run_of(cycles, decisions, requests(arrived))) == []


def test_capacity_that_earlier_orders_brought_is_not_credited_to_a_later_one():
    """1 -> 2 ordered at 10 s, 2 -> 3 at 20 s: 8 rps need the first of them only."""
    cycles = [cycle(t) for t in range(0, 30, 5)]
    cycles += [cycle(t, ready=2, capacity=10.0) for t in (30, 35)]
    cycles += [cycle(t, ready=3, capacity=15.0) for t in range(40, 120, 5)]
    arrivals = requests(busy(50, 80, 8))
    found = ahead_of_load(run_of(cycles, [RISE, decision(20, 2, 3, ready_at=40)], arrivals))
    assert [a.decision.after for a in found] == [2]


def test_a_larger_flavor_in_place_is_a_scale_up():
    grow = decision(10, "small", "big", ready_at=12, kind="vertical", flavor="big", count=1)
    cycles = [cycle(0), cycle(10), *(cycle(t, flavor="big", capacity=10.0) for t in range(15, 120, 5))]
    (ahead,) = ahead_of_load(run_of(cycles, [grow], requests(busy(50, 80, 8))))
    assert ahead.document()["to"] == "big"
    assert grow.rise(INFO.flavors) == 1
    assert replace(ahead, ready_at_s=START_S + 45).lead_s == 5


def test_the_report_is_about_the_first_run_and_holds_every_run(runs):
    document = report_json(runs)
    assert document["policy"] == "barista"
    assert document["components"]["torchserve"] == "0.12.0"
    assert document["cycles"] == {"count": 72, "mean_ms": 107.5, "p95_ms": 125.0, "max_ms": 125.0}
    assert set(document["runs"]) == {"barista", "kpa"}
    assert document["runs"]["barista"]["services"] == document["services"]
    assert document["decisions"][0]["from"] == runs["barista"].decisions[0].before
    assert document["foresight"]
    assert "runs" not in report_json({"barista": runs["barista"]})


def test_the_headline_states_the_rivals_figures_too(runs):
    first, rival, foresight = headline(runs)
    assert (
        first == "Barista served 99.5 % of 4,544 requests within their latency objective, at a cost of 0.0303"
    )
    assert rival == (
        "Knative's autoscaler (KPA rules) on the same arrivals: 43.3 % within the objective,"
        " at a cost of 0.0227 (25 % less)."
    )
    assert foresight.startswith("Foresight: 7 of 12 scale-ups were ready before the load")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1, "100.0 %"), (0.99996, "99.99 %"), (0.5, "50.0 %"), (0.0001, "less than 0.1 %"), (0, "0.0 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(ratio, text):
    assert percent(ratio) == text
