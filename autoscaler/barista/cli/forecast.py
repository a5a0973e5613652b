"""`barista forecast`: how good forecasters would have been on a recorded series."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.forecast.evaluate import Row, Score, Window
    from barista.ports.forecaster import Forecaster
    from barista.values.series import Demand

COLUMNS = ("timestamp", "value")
SHOWN = {
    "lead": "lead",
    "mae": "mae",
    "mae mean": "mae_mean",
    "mape %": "mape_percent",
    "pinball95": "pinball95",
    "coverage95": "coverage95",
    "idle": "over_provision",
}
PREDICTED = ("origin", "target", "lead", "mean", "q50", "q95")


class WrongInput(Exception):
    """A file or option is wrong; the message says what, where and how to mend it."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("forecast")(command)


def command(
    data: Annotated[Path, typer.Argument(help="CSV with the columns timestamp (local) and value")],
    forecasters: Annotated[
        str, typer.Option("--forecasters", "--forecaster", help="name of a forecaster; several with commas")
    ],
    lead: Annotated[str, typer.Option(help="steps ahead; several with commas")],
    test_start: Annotated[str, typer.Option(help="first target, e.g. '2014-08-06 00:00:00'")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV of forecasts to write")],
    test_end: Annotated[str | None, typer.Option(help="last target (the last timestamp)")] = None,
    refit: Annotated[str, typer.Option(help="steps, or days (7d), from one fit to the next")] = "1d",
    seed: Annotated[int, typer.Option(help="seed of the forecasters' chance")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print the scores as JSON")] = False,
    plot: Annotated[Path | None, typer.Option(help="PNG to draw: what came, medians, p95 bounds")] = None,
) -> None:
    """Forecast DATA from every origin of a test window, never looking ahead, and score the forecasts.

    With several forecasters, NAME's forecasts go to OUTPUT with -NAME before its suffix. The plot
    shows the shortest lead.
    """
    from barista.forecast.evaluate import NotEvaluated, score
    from barista.plugins import FORECASTERS, load_plugin

    try:
        series = read_series(data)
        window = _window(series, _leads(lead), test_start, test_end)
        refit_steps = _refit_steps(refit, series.step_s)
        for option, path in (("--output", output), ("--plot", plot)):
            if path is not None and not path.parent.is_dir():
                raise WrongInput(f"{option} {path}: no such directory {path.parent}")
        names = [name.strip() for name in forecasters.split(",")]
        made = {name: load_plugin(FORECASTERS, name) for name in names}
        rows = {name: _rows(name, made[name], series, window, refit_steps, seed) for name in names}
        scores = {name: score(rows[name], series, window) for name in names}
        for name in names:
            path = output if len(names) == 1 else output.with_stem(f"{output.stem}-{name}")
            write_rows(path, rows[name], series)
        if plot is not None:
            from barista.report.forecasts import draw_forecasts

            draw_forecasts(plot, series, rows, window.leads[0])
    except (WrongInput, NotEvaluated) as error:
        typer.echo(f"barista forecast: {error}", err=True)
        raise typer.Exit(2) from error
    _print(scores, as_json)


def read_series(path: Path) -> "Demand":
    """The series of a CSV file. WrongInput when it is not `timestamp,value` on one regular step."""
    import numpy as np

    from barista.values.series import Demand

    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if absent:
                raise WrongInput(f"{path}: no column {', '.join(absent)}; need timestamp,value")
            lines = [_Line.of(row, f"{path}:{reader.line_num}") for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: cannot be read: {error}") from error
    if len(lines) < 2:
        raise WrongInput(f"{path}: {len(lines)} values: need at least 2")
    step_s = lines[1].at_s - lines[0].at_s
    for before, after in pairwise(lines):
        if after.at_s - before.at_s != step_s or step_s <= 0:
            raise WrongInput(
                f"{after.place}: {after.at_s - before.at_s:g} s after the line before, not {step_s:g} s:"
                " timestamps must be on one regular step (leave the value empty where it is missing)"
            )
    return Demand(lines[0].at_s, step_s, np.array([line.value for line in lines]))


@dataclass(frozen=True, slots=True)
class _Line:
    place: str
    at_s: float
    value: float

    @staticmethod
    def of(row: dict[str, str], place: str) -> "_Line":
        text = row["value"]
        try:
            value = float(text) if text else float("nan")
        except (TypeError, ValueError):
            raise WrongInput(f"{place}: value {text!r}: not a number") from None
        if value < 0 or value == float("inf"):
            raise WrongInput(f"{place}: value {text!r}: need a finite number of 0 or more")
        return _Line(place, _seconds(row["timestamp"], place), value)


def write_rows(path: Path, rows: Sequence["Row"], series: "Demand") -> None:
    """Write forecasts as CSV, `origin,target,lead,mean,q50,q95`."""

    def stamp(position: int) -> str:
        at = datetime.fromtimestamp(series.start_s + position * series.step_s, UTC)
        return at.replace(tzinfo=None).isoformat(sep=" ")

    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(PREDICTED)
        for row in rows:
            figures = (f"{figure:.9g}" for figure in (row.mean, row.q50, row.q95))
            writer.writerow((stamp(row.origin), stamp(row.target), row.lead, *figures))


def _rows(
    name: str, forecaster: "Forecaster", series: "Demand", window: "Window", refit_steps: int, seed: int
) -> list["Row"]:
    from rich.console import Console
    from rich.progress import track

    from barista.forecast.evaluate import LEVELS, roll
    from barista.ports.forecaster import ForecastContext

    context = ForecastContext(steps=max(window.leads), levels=LEVELS, seed=seed)
    rolling = roll(forecaster, series, context, window, refit_steps)
    console = Console(stderr=True)
    by_origin = track(rolling, description=name, total=len(window.origins), console=console, transient=True)
    return [row for rows in by_origin for row in rows]


def _window(series: "Demand", leads: tuple[int, ...], start: str, end: str | None) -> "Window":
    from barista.forecast.evaluate import Window

    first = _position(series, start, "--test-start")
    last = len(series) - 1 if end is None else min(_position(series, end, "--test-end"), len(series) - 1)
    if not max(leads) <= first < len(series):
        raise WrongInput(f"--test-start {start!r}: need {max(leads)} values before it, and one at it")
    if last < first:
        raise WrongInput(f"--test-end {end!r}: before --test-start {start!r}")
    return Window(first, last, leads)


def _position(series: "Demand", text: str, option: str) -> int:
    steps = (_seconds(text, option) - series.start_s) / series.step_s
    if steps != int(steps):
        raise WrongInput(f"{option} {text!r}: not on the step of the series ({series.step_s:g} s)")
    return int(steps)


def _seconds(text: str, place: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError):
        raise WrongInput(f"{place}: time {text!r}: need e.g. 2014-08-06 00:00:00") from None


def _leads(text: str) -> tuple[int, ...]:
    try:
        leads = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        leads = (0,)
    if leads[0] < 1:
        raise WrongInput(f"--lead {text!r}: need whole numbers of steps from 1 on, e.g. 1,2")
    return leads


def _refit_steps(text: str, step_s: float) -> int:
    from barista.values.series import DAY_S

    number = re.fullmatch(r"(\d+(?:\.\d+)?)(d?)", text.strip())
    steps = 0 if number is None else round(float(number[1]) * (DAY_S / step_s if number[2] else 1))
    if steps < 1:
        raise WrongInput(f"--refit {text!r}: need steps from 1 on, e.g. 336, or days, e.g. 7d")
    return steps


def _print(scores: dict[str, list["Score"]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({name: [asdict(s) for s in rows] for name, rows in scores.items()}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("forecaster", *SHOWN, box=None, pad_edge=False)
    for name, rows in scores.items():
        for row in rows:
            table.add_row(name, *(f"{getattr(row, column):.4g}" for column in SHOWN.values()))
    Console().print(table)
