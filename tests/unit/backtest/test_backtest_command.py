"""The command end to end on a small trace, and what it says when it is asked for what cannot be."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from typer.testing import CliRunner

from barista.cli.lognormal import lognormal
from barista.cli.main import app
from barista.cli.replay import Case, needed, oracle_tape, play, taped
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import Demand
from barista.values.service import ServiceId

SERVICE = ServiceId("default/trace")


def trace(path, steps=48, step_s=300):
    rows = ["timestamp,value"]
    for k in range(steps):
        at = datetime.fromtimestamp(1_700_006_400 + k * step_s, UTC)
        rows.append(f"{at:%Y-%m-%d %H:%M:%S},{300 * (1 + (k // 6) % 4)}")
    path.write_text("\n".join(rows))
    return str(path)


def backtest(tmp_path, *more):
    given = [
        trace(tmp_path / "trace.csv"),
        "--forecaster",
        "last-value",
        "--workers",
        "1",
        "-o",
        str(tmp_path),
    ]
    return CliRunner().invoke(app, ["backtest", *given, *more])


def case(**changed):
    values = np.repeat([1.0, 20.0, 1.0, 20.0], 6)
    given = {
        "service": SERVICE,
        "demand": Demand(1_700_006_400.0, 300.0, values),
        "start_s": 1_700_006_400.0 + 1800,
        "end_s": 1_700_006_400.0 + 24 * 300,
        "profile": ExecutionProfile("m", "replica", lognormal(0.08, 0.12), Distribution.constant(60.0)),
        "slo_s": 0.4,
        "percentile": 0.95,
        "queue_limit": 50,
        "forecaster": "last-value",
    }
    return Case(**{**given, **changed})


def test_a_history_is_played_under_each_policy_and_told_in_a_table_json_and_a_page(tmp_path):
    done = backtest(tmp_path, "--policies", "barista,kpa,static,oracle", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert list(made["policies"]) == ["barista", "kpa", "static", "oracle"]
    assert made["tradeoff"] == {}
    assert all(of["cost"] > 0 and 0 <= of["slo_violation_ratio"] <= 1 for of in made["policies"].values())
    assert (tmp_path / "backtest.html").is_file()
    assert json.loads((tmp_path / "backtest.json").read_text()) == made
    assert len(list((tmp_path / "forecasts").iterdir())) == 1


def test_the_same_seed_gives_the_same_figures_and_another_one_others():
    tape = taped(case())
    first, again, other = (play(case(), "barista", {}, seed, tape) for seed in (1, 1, 2))
    assert (first.cost, first.p95_ms) == (again.cost, again.p95_ms)
    assert first.requests == other.requests
    assert first.p95_ms != other.p95_ms


@pytest.mark.parametrize("policy", ["barista", "kpa"])
def test_who_knows_what_comes_violates_less_and_pays_less_than_who_does_not(policy):
    knowing = play(case(), "oracle", {"latency_percentile": 99}, 0, oracle_tape(case()))
    guessing = play(case(), policy, {}, 0, None if policy == "kpa" else taped(case()))
    assert knowing.slo_violation_ratio < guessing.slo_violation_ratio
    assert knowing.cost < guessing.cost


@pytest.mark.parametrize("setup_s", [30.0, 60.0, 200.0, 400.0])
def test_who_knows_what_comes_has_replicas_ready_when_they_are_needed_and_not_long_before(setup_s):
    profile = ExecutionProfile("m", "replica", lognormal(0.08, 0.12), Distribution.constant(setup_s))
    slow = case(profile=profile)
    held = play(slow, "oracle", {}, 0, oracle_tape(slow)).held
    quiet, before, busy = held[8:10], held[11], held[12:]
    assert quiet.max() == 1
    assert busy.min() >= needed(slow, slow.played)[12]
    ahead_s = 60 * np.ceil(setup_s / 60)
    assert before == pytest.approx(1 + (busy.min() - 1) * min(ahead_s, 300) / 300)


def test_the_published_rules_buy_what_is_expected_by_the_window_rule():
    figures = play(case(), "published", {}, 0, taped(case()))
    more = play(case(), "published", {"factor": 2.0}, 0, taped(case()))
    # 20 and 40 requests/s, of which a replica serves floor(400 / 120) in each 400 ms.
    assert (figures.held.max(), more.held.max()) == (3, 6)
    assert more.slo_violation_ratio < figures.slo_violation_ratio


def test_what_is_foreseen_never_looks_ahead():
    whole = case()
    cut = Demand(whole.demand.start_s, 300.0, np.append(whole.demand.values[:16], np.full(8, 99.0)))
    until_s = whole.demand.start_s + 16 * 300
    one, other = (taped(c).said[SERVICE] for c in (whole, case(demand=cut)))
    known = one.heard_s <= until_s
    assert known.sum() > 5
    assert np.array_equal(one.quantiles[known], other.quantiles[known])


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--departures",), "need one history"),
        (("--policies", "magic"), "policy 'magic': no such policy; known: barista, oracle, kpa"),
        (("--from", "yesterday"), "--from 'yesterday': need e.g."),
        (("--from", "2030-01-01"), "nothing to play; the trace goes from 2023-11-15"),
        (("--service-time", "80"), "--service-time '80': need MEAN:P95"),
        (("--service-time", "120:80"), "no log-normal time has mean 0.12 s"),
    ],
)
def test_a_wrong_option_is_told_in_one_line_with_its_mend(tmp_path, more, complaint):
    done = backtest(tmp_path, *more)
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_log_normal_time_has_the_mean_and_percentile_that_were_asked_for():
    made = lognormal(0.08, 0.12)
    assert made.quantile(0.95) == pytest.approx(0.12, rel=1e-3)
    levels = np.random.default_rng(0).random(200_000)
    assert np.interp(levels, made.levels, made.values_s).mean() == pytest.approx(0.08, rel=0.01)
