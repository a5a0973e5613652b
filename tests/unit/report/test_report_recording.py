"""What is read back from a run's directory, whole or damaged."""

import json
from datetime import datetime

import pytest
from synthetic_run import STARTED_S

from barista.report.recording import read_run
from barista.report.records import RecordingError, ServiceInfo
from barista.values.decision import ChangeKind


def test_a_recording_reads_back_as_it_was_written(runs):
    run = runs["barista"]
    assert run.services == ("default/digits", "default/taxi")
    assert len(run.cycles) == 72
    assert run.cycles[0].services["default/taxi"].forecast.made_by == "neuralprophet"
    assert run.cycles[40].services["default/taxi"].demand_rps is None  # not seen is not zero
    assert run.decisions[0].kind is ChangeKind.HORIZONTAL
    assert run.decisions[0].reasons[0].rail == "plan"
    assert run.usage["default/digits"].cold_starts == 6
    assert run.end_s == STARTED_S + 360


def test_the_clock_reads_the_trace_from_the_start_of_its_day(runs):
    clock = runs["barista"].info.clock
    assert clock.at(90) == datetime(2013, 7, 10, 6, 0)


def test_a_percentile_may_be_a_fraction_or_in_percent():
    one, other = (ServiceInfo(model="m", slo_latency_s=1, slo_percentile=p) for p in (0.99, 99))
    assert one.slo == other.slo


@pytest.mark.parametrize("name", ["cycles.jsonl", "decisions.jsonl", "requests.csv"])
def test_a_torn_last_line_is_left_out(directory, name):
    whole = read_run(directory)
    path = directory / name
    path.write_text(path.read_text()[:-4])
    torn = read_run(directory)

    def sizes(run):
        return len(run.cycles), len(run.decisions), sum(len(r) for r in run.requests.values())

    lost = [before - after for before, after in zip(sizes(whole), sizes(torn), strict=True)]
    assert sorted(lost) == [0, 0, 1]


def test_a_broken_line_within_a_file_is_named(directory):
    lines = (directory / "cycles.jsonl").read_text().splitlines(keepends=True)
    lines[2] = "{broken\n"
    (directory / "cycles.jsonl").write_text("".join(lines))
    with pytest.raises(RecordingError, match=r"cycles\.jsonl:3: not JSON.*remove the line"):
        read_run(directory)


def test_a_wrong_field_is_named_with_its_line(directory):
    lines = (directory / "decisions.jsonl").read_text().splitlines(keepends=True)
    lines[1] = json.dumps(json.loads(lines[1]) | {"kind": "diagonal"}) + "\n"
    (directory / "decisions.jsonl").write_text("".join(lines))
    with pytest.raises(RecordingError, match=r"decisions\.jsonl:2: kind: .*horizontal"):
        read_run(directory)


def test_a_run_that_was_cut_off_has_no_usage_and_may_have_decided_nothing(directory):
    (directory / "usage.json").unlink()
    (directory / "decisions.jsonl").unlink()
    run = read_run(directory)
    assert run.usage is None
    assert run.decisions == ()


@pytest.mark.parametrize("name", ["run.json", "cycles.jsonl", "requests.csv"])
def test_a_missing_file_is_named(directory, name):
    (directory / name).unlink()
    with pytest.raises(RecordingError, match=rf"{name}: cannot be read.*directory of a run"):
        read_run(directory)


def test_a_run_without_a_cycle_is_no_recording(directory):
    (directory / "cycles.jsonl").write_text("")
    with pytest.raises(RecordingError, match="holds no cycle"):
        read_run(directory)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1700000001,default/cats,200,0.1,r1", "service 'default/cats' is not in run.json"),
        ("soon,default/taxi,200,0.1,r1", "could not convert string to float: 'soon'"),
    ],
)
def test_a_wrong_request_is_named_with_its_line(directory, row, said):
    (directory / "requests.csv").write_text(f"arrived_s,service,status,latency_s,replica\n{row}\n")
    with pytest.raises(RecordingError, match=rf"requests\.csv:2: .*{said}"):
        read_run(directory)


def test_a_flavor_without_a_price_is_refused(directory):
    info = json.loads((directory / "run.json").read_text())
    del info["flavors"]["cpu-2"]
    (directory / "run.json").write_text(json.dumps(info))
    with pytest.raises(RecordingError, match=r"flavor cpu-2: no such flavor in run\.json.*known: cpu-1"):
        read_run(directory)
