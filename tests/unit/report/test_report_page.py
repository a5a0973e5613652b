"""The page and the pictures: complete, self-contained, safe."""

import json
import re
from dataclasses import replace

import pytest

from barista.report import html
from barista.report.recording import Run
from barista.report.scores import report_json

PICTURES = ("demo", "demand", "replicas", "latency", "cost")


@pytest.fixture(scope="module")
def written(runs, tmp_path_factory):
    output = tmp_path_factory.mktemp("report") / "new"
    page = html.write_report(output, runs)
    return output, page.read_text()


def test_the_page_needs_nothing_but_itself(written):
    _, page = written
    assert re.findall(r'src="(?!data:image/png;base64,)', page) == []
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert page.count("data:image/png;base64,") == len(PICTURES) - 1


def test_figures_and_pictures_lie_beside_the_page(written, runs):
    output, _ = written
    assert json.loads((output / "report.json").read_text()) == report_json(runs)
    for name in PICTURES:
        assert (output / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_summary_picture_is_twice_as_wide_as_it_is_shown(written):
    output, _ = written
    assert int.from_bytes((output / "demo.png").read_bytes()[16:20], "big") == 2000


def test_every_decision_is_on_the_page_with_its_path_and_reasons(written, runs):
    _, page = written
    assert page.count('<td class="why">') == sum(len(run.decisions) for run in runs.values())
    assert "2 × cpu-1 → 2 × cpu-1 → 2 × cpu-1" in page
    assert '<span class="binds">stabilisation</span>: wanted for 20 s' in page


def test_both_policies_and_the_clock_are_told(written):
    _, page = written
    assert "Knative&#39;s autoscaler (KPA rules)" in page
    assert "one second of the demo is 240 seconds of the trace" in page


def test_what_a_plug_in_says_cannot_become_markup(runs, tmp_path):
    run = runs["barista"]
    first = run.decisions[0]
    bad = first.model_copy(update={"reasons": (replace(first.reasons[0], text="<script>alert(1)</script>"),)})
    page = html.write_report(tmp_path, {"barista": _with_decisions(run, bad)}).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def _with_decisions(run, *decisions):
    return Run(run.info, run.cycles, decisions, run.requests, run.usage)


def test_a_run_that_failed_from_the_start_still_gets_its_report(runs, tmp_path):
    """No answer to any request, no decision, one cycle, cut off: the report says so and does not fall."""
    run = runs["kpa"]
    dead = {
        name: replace(part, status=0 * part.status, latency_s=float("nan") * part.latency_s)
        for name, part in run.requests.items()
    }
    page = html.write_report(tmp_path, {"kpa": Run(run.info, run.cycles[:1], (), dead, None)})
    assert "served 0.0 % of 4,544 requests" in page.read_text()


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no run given"):
        html.write_report(tmp_path, {})
