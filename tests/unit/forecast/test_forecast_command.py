import csv
import json
from datetime import datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from barista.cli import forecast

START = datetime(2024, 3, 1)
GOOD = {
    "--forecaster": "seasonal-naive",
    "--lead": "1,2",
    "--test-start": "2024-03-04 00:00:00",
    "--test-end": "2024-03-04 12:00:00",
}


@pytest.fixture
def app():
    made = typer.Typer()
    forecast.register(made)
    return made


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    lines = [f"{START + timedelta(hours=h)},{h % 24 + 1}" for h in range(24 * 5)]
    path.write_text("\n".join(["timestamp,value", *lines]) + "\n")
    return path


def run(app, data, output, *more, **changed):
    options = GOOD | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    arguments = [text for pair in options.items() for text in pair]
    return CliRunner().invoke(app, [str(data), *arguments, "-o", str(output), *more])


def test_it_writes_each_forecast_with_origin_and_target(app, data, tmp_path):
    out = tmp_path / "out.csv"
    assert run(app, data, out).exit_code == 0
    rows = list(csv.DictReader(out.open()))
    assert list(rows[0]) == ["origin", "target", "lead", "mean", "q50", "q95"]
    first = {row["lead"]: row for row in rows if row["target"] == "2024-03-04 00:00:00"}
    assert first["1"]["origin"] == "2024-03-03 23:00:00"
    assert first["2"]["origin"] == "2024-03-03 22:00:00"
    assert float(first["2"]["q50"]) == 1.0


def test_several_forecasters_write_a_file_each_and_are_scored_side_by_side(app, data, tmp_path):
    result = run(app, data, tmp_path / "out.csv", "--json", forecaster="seasonal-naive,last-value")
    scores = json.loads(result.stdout)
    assert scores["seasonal-naive"][0]["mae"] == 0 < scores["last-value"][0]["mae"]
    assert (tmp_path / "out-seasonal-naive.csv").exists()
    assert (tmp_path / "out-last-value.csv").exists()


def test_an_end_beyond_the_series_is_its_last_value(app, data, tmp_path):
    out = tmp_path / "out.csv"
    assert run(app, data, out, test_end="2024-04-01 00:00:00").exit_code == 0
    assert list(csv.DictReader(out.open()))[-1]["origin"] == "2024-03-05 23:00:00"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lead": "0"}, "--lead '0': need whole numbers of steps"),
        ({"lead": "1,x"}, "--lead '1,x'"),
        ({"refit": "often"}, "--refit 'often'"),
        ({"test_start": "yesterday"}, "--test-start: time 'yesterday'"),
        ({"test_start": "2024-03-04 00:10:00"}, "not on the step of the series (3600 s)"),
        ({"test_start": "2023-01-01"}, "values before it"),
        ({"test_start": "2024-03-01 12:00:00"}, "too few values before the window"),
        ({"test_end": "2024-03-02"}, "before --test-start"),
    ],
)
def test_wrong_options_end_in_one_line(app, data, tmp_path, changed, said):
    result = run(app, data, tmp_path / "out.csv", **changed)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("when,value\n", "no column timestamp"),
        ("timestamp,value\n2024-03-01,1\n", "1 values: need at least 2"),
        ("timestamp,value\n2024-03-01,1\n2024-03-02,many\n", "data.csv:3: value 'many'"),
        ("timestamp,value\n2024-03-01,1\n2024-03-02,-1\n", "data.csv:3: value '-1'"),
        ("timestamp,value\n2024-03-01,1\nnow,1\n", "data.csv:3: time 'now'"),
        ("timestamp,value\n2024-03-01,1\n2024-03-02,1\n2024-03-04,1\n", "data.csv:4: 172800 s after"),
    ],
)
def test_a_wrong_file_ends_in_one_line_that_says_where(app, data, tmp_path, content, said):
    data.write_text(content)
    result = run(app, data, tmp_path / "out.csv")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_a_missing_file_and_a_missing_directory_are_named(app, data, tmp_path):
    assert "nowhere.csv: cannot be read" in run(app, tmp_path / "nowhere.csv", tmp_path / "out.csv").stderr
    assert "no such directory" in run(app, data, tmp_path / "none" / "out.csv").stderr


def test_a_plot_shows_what_came_and_what_each_had_said(app, data, tmp_path):
    picture = tmp_path / "said.png"
    given = run(
        app, data, tmp_path / "out.csv", "--plot", str(picture), forecaster="seasonal-naive,last-value"
    )
    assert given.exit_code == 0
    assert "last-value" in given.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_into_no_directory_is_refused_before_anything_is_forecast(app, data, tmp_path):
    result = run(app, data, tmp_path / "out.csv", "--plot", str(tmp_path / "none" / "said.png"))
    assert "--plot" in result.stderr
    assert result.exit_code == 2
    assert not (tmp_path / "out.csv").exists()
