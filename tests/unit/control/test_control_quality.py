"""How good forecasts turn out to be reaches Prometheus, the decision log and the explanation."""

import json
from pathlib import Path

from core_world import NOW, make_forecast, make_plan, make_view, rules, seen, situation
from prometheus_client import CollectorRegistry, generate_latest

from barista.cli.explain import show_quality
from barista.control.cycle import Pass
from barista.control.decide import decide
from barista.control.explain import latest_qualities
from barista.control.log import DecisionLog, LogFiles
from barista.control.quality_metrics import ForecastQuality
from barista.forecast.quality import Watch
from barista.values.series import Demand
from barista.values.service import ServiceId

A = ServiceId("default/a")
RULES = rules()


def watched() -> Watch:
    """Service a was told 20 where 30 came; its member said 30."""
    import numpy as np

    watch = Watch()
    watch.said(A, make_forecast(20, origin=NOW), {"good": make_forecast(30, origin=NOW)}, setup_steps=1)
    watch.seen(A, Demand(NOW, 10, np.array([30.0])))
    return watch


def make_pass() -> Pass:
    given = situation(make_view({"small": 1}, observation=seen(A)))
    plan, forecasts = make_plan({}), {A: make_forecast(5, origin=NOW)}
    return Pass(given, forecasts, plan, decide(given, forecasts, plan, NOW, RULES))


def test_prometheus_sees_what_was_told_and_each_member_at_both_leads() -> None:
    registry = CollectorRegistry()
    registry.register(ForecastQuality(watched()))
    page = generate_latest(registry).decode()
    assert 'barista_forecast_bias_rps{forecaster="told",lead="next",service="default/a"} -10.0' in page
    assert 'barista_forecast_bias_rps{forecaster="good",lead="setup",service="default/a"} 0.0' in page
    assert 'barista_forecast_outcomes{forecaster="told",lead="next",service="default/a"} 1.0' in page
    assert 'barista_forecast_coverage_ratio{forecaster="told",lead="next",level="0.95"' in page
    assert 'barista_forecast_pinball_loss_rps{forecaster="told",lead="next",level="0.95"' in page


def test_the_log_holds_the_latest_scores_and_an_explanation_finds_those_of_its_service(
    tmp_path: Path,
) -> None:
    watch = watched()
    log = DecisionLog(tmp_path, RULES, watch.qualities)
    log.cycle(make_pass(), 0.1)
    assert latest_qualities(tmp_path, A) == watch.qualities()
    assert latest_qualities(tmp_path, ServiceId("default/b")) == ()
    assert len(json.loads(LogFiles(tmp_path).quality.read_text())) == 4


def test_a_log_without_scores_explains_without_them(tmp_path: Path) -> None:
    DecisionLog(tmp_path, RULES).cycle(make_pass(), 0.1)
    assert latest_qualities(tmp_path, A) == ()
    assert not LogFiles(tmp_path).quality.exists()


def test_the_explanation_shows_them_as_a_table(capsys) -> None:  # type: ignore[no-untyped-def]  # a fixture
    show_quality(watched().qualities())
    shown = capsys.readouterr().out
    assert "at or below p95" in shown
    assert shown.index("told") < shown.index("good")
