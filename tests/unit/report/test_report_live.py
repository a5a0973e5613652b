"""The live view: what it reads from a run that is being written, and what it shows."""

import io

import pytest
from rich.console import Console
from synthetic_run import STARTED_S

from barista.report.live import LiveView, Tail
from barista.report.recording import read_info
from barista.report.records import RecordingError

NOW_S = STARTED_S + 300


def view_of(directory, terminal=False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    return LiveView(directory, read_info(directory), console)


def shown(view, now_s=NOW_S):
    with view.console.capture() as capture:
        view.console.print(view.render(now_s))
    return capture.get()


def test_a_tail_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "log"
    tail = Tail(path)
    assert list(tail.lines()) == []
    path.write_text("one\ntw")
    assert [line for _, line in tail.lines()] == ["one"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    assert [line for _, line in tail.lines()] == ["two", "three"]
    assert list(tail.lines()) == []


def test_before_the_first_cycle_nothing_is_claimed(directory):
    for name in ("cycles.jsonl", "decisions.jsonl", "requests.csv"):
        (directory / name).unlink()
    view = view_of(directory)
    view.read()
    assert "default/digits: – rps, –, no answers" in view.line(NOW_S)
    assert "default/digits" in shown(view)


def test_the_view_shows_demand_replicas_latency_cost_and_decisions(directory):
    view = view_of(directory)
    view.read()
    text = shown(view)
    assert "barista 300 of 360 s, trace Wed 20:00" in text
    assert "/ 250 ms" in text
    assert "cost 0.03" in text
    assert "▼ default/taxi 3 → 2 × cpu-1" in text
    assert "█" in text


def test_the_view_follows_what_is_added(directory):
    path = directory / "cycles.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:20]))
    view = view_of(directory)
    view.read()
    assert "default/digits: 1.6 rps, 1 cpu-1 +2," in view.line(NOW_S)
    with path.open("a") as file:
        file.writelines(lines[20:42])
    view.read()
    assert "default/digits: – rps" in view.line(NOW_S)  # blind from 200 s on
    assert "missing" in shown(view)


def test_latency_is_that_of_the_last_seconds_alone(directory):
    view = view_of(directory)
    view.read()
    assert view.latency_s("default/taxi", NOW_S) < 0.4
    assert view.latency_s("default/taxi", NOW_S + 3600) is None


def test_without_a_terminal_it_prints_lines_and_ends_with_the_run(directory):
    view = view_of(directory)
    answers = iter([False, False, True])
    view.follow(lambda: next(answers), every_s=0.01)
    lines = view.console.file.getvalue().splitlines()
    assert len(lines) == 2  # the first at once, the last when it is over, none in between
    assert all(line.startswith("360 of 360 s, trace Thu 00:00 | default/digits: ") for line in lines)


def test_in_a_terminal_it_draws_the_panel(directory):
    view = view_of(directory, terminal=True)
    view.follow(lambda: True)
    assert "within SLO" in view.console.file.getvalue()


def test_a_wrong_line_is_named(directory):
    (directory / "requests.csv").write_text("1700000001,default/taxi,fine,0.1,r1\n")
    with pytest.raises(RecordingError, match=r"requests\.csv at byte 0: .*'fine'"):
        view_of(directory).read()
