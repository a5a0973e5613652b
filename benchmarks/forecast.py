"""How good the ensemble forecasts five recorded series, beside the scores of common methods.

    python -m benchmarks.forecast [--series taxi_open,bikes] [--members NAMES] [--without NAMES]
                                  [--refit DAYS] [--jobs N] [--causal]

Rolls the origin over each series' test window (never looking ahead), has the benchmark's own score.py
score the forecasts, and prints, per series and lead, ours beside every baseline. Ratios are to the best
baseline of the same series, lead and score. Times are printed beside what BASELINES.md says of the
baselines'. `--causal` forecasts again from copies that end at several moments of the window, and has score.py
compare. The benchmark's files (series.json, score.py and those named) are looked for beside the checkout, in
shared/bench/forecast, or where `--bench` says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from barista.cli.forecast import read_series, write_rows
from barista.forecast.ensemble import Ensemble
from barista.forecast.evaluate import LEVELS, Row, Window, roll
from barista.forecast.members import DEFAULT
from barista.ports.forecaster import ForecastContext, Forecaster
from barista.values.forecast import Forecast
from barista.values.series import DAY_S, Demand

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench" / "forecast"
FILES = "series.json", "baselines.json", "BASELINES.md", "score.py"
CUTS = (0.04, 0.13, 0.26)
"""Where in the window the copies for the causality check end, as shares of it."""
COMPARED = "mae", "pinball95"
SHOWN = {"mae": 8, "pinball95": 11, "coverage95": 12, "coverage95_worst_sixth": 11, "over_provision": 9}
HEADS = "mae", "pinball95", "coverage95", "worst 6th", "idle"

Scores = dict[str, dict[str, float]]
"""By lead and score."""


@dataclass(slots=True)
class Timed:
    """A forecaster, with the seconds that its fits and its other calls took."""

    inner: Forecaster
    fits_s: list[float] = field(default_factory=list)
    calls_s: list[float] = field(default_factory=list)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.inner.name

    def fit(self, demand: Demand, context: ForecastContext, warm: Any | None = None) -> Any:
        """As the forecaster's."""
        begun = time.perf_counter()
        state = self.inner.fit(demand, context, warm)
        self.fits_s.append(time.perf_counter() - begun)
        return state

    def update(self, state: Any, new_values: Demand) -> Any:
        """As the forecaster's."""
        begun = time.perf_counter()
        moved = self.inner.update(state, new_values)
        self.calls_s.append(time.perf_counter() - begun)
        return moved

    def forecast(self, state: Any, steps: int, levels: tuple[float, ...]) -> Forecast:
        """As the forecaster's."""
        begun = time.perf_counter()
        made = self.inner.forecast(state, steps, levels)
        self.calls_s.append(time.perf_counter() - begun)
        return made


@dataclass(frozen=True, slots=True)
class Job:
    """One series to forecast, `about` it from series.json, and how to forecast it."""

    bench: Path
    name: str
    about: Mapping[str, Any]
    members: tuple[str, ...]
    refit_days: float
    causal: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What score.py says of one series, the answers of its causality checks, and the times of the calls."""

    name: str
    scores: Scores
    checks: tuple[str, ...]
    fits_s: Sequence[float]
    calls_s: Sequence[float]
    wall_s: float


def main(arguments: Iterable[str] | None = None) -> None:
    """Forecast, score and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=_names, help="names with commas; all by default")
    parser.add_argument(
        "--members", type=_names, default=DEFAULT, help="members of the ensemble, with commas"
    )
    parser.add_argument("--without", type=_names, default=(), help="members to leave out")
    parser.add_argument("--refit", type=float, default=2.0, help="days from one fit to the next")
    parser.add_argument("--jobs", type=int, default=2, help="series forecast at once")
    parser.add_argument("--causal", action="store_true", help="check causality too")
    parser.add_argument("--bench", type=Path, default=BENCH, help="folder of the benchmark")
    given = parser.parse_args(None if arguments is None else list(arguments))
    absent = [name for name in FILES if not (given.bench / name).is_file()]
    if absent:
        parser.error(f"no {', '.join(absent)} in {given.bench}: say with --bench where the benchmark is")
    series = json.loads((given.bench / "series.json").read_text())
    names = given.series or tuple(series)
    unknown = sorted(set(names) - set(series))
    if unknown:
        parser.error(f"--series: no {', '.join(unknown)} in the benchmark; known: {', '.join(series)}")
    members = tuple(name for name in given.members if name not in given.without)
    jobs = [Job(given.bench, name, series[name], members, given.refit, given.causal) for name in names]
    # One thread each: the processes share the cores, and sums come out the same whatever else runs.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        results = []
        for result in pool.map(run, jobs):
            print(f"{result.name}: forecast in {result.wall_s:.0f} s", file=sys.stderr, flush=True)
            results.append(result)
    baselines = json.loads((given.bench / "baselines.json").read_text())["scores"]
    report(results, {name: baselines[name]["all"] for name in names})
    report_times(results, given.bench)


def run(job: Job) -> Result:
    """Forecast one series, and score it."""
    begun = time.perf_counter()
    demand = read_series(job.bench / job.about["file"])
    window = Window(
        _position(demand, job.about["test_start"]),
        _position(demand, job.about["test_end"]),
        tuple(job.about["leads"]),
    )
    ensemble = Timed(Ensemble(job.members))
    with tempfile.TemporaryDirectory() as folder:
        predictions = Path(folder) / "predictions.csv"
        write_rows(predictions, _rolled(ensemble, demand, window, job.refit_days), demand)
        scores = _score(
            job,
            predictions,
            ("--test-start", job.about["test_start"], "--test-end", job.about["test_end"]),
            ("--leads", ",".join(map(str, window.leads))),
        )["leads"]
        wall_s = time.perf_counter() - begun
        checks = tuple(_checked(job, demand, window, predictions, share) for share in CUTS[: 3 * job.causal])
    return Result(job.name, scores, checks, ensemble.fits_s, ensemble.calls_s, wall_s)


def report(results: Sequence[Result], baselines: Mapping[str, Mapping[str, Scores]]) -> None:
    """Print the scores of each series and lead beside the baselines', then the means of the ratios."""
    ratios: dict[str, list[float]] = {score: [] for score in COMPARED}
    for result in results:
        for lead, ours in result.scores.items():
            others = {method: by_lead[lead] for method, by_lead in baselines[result.name].items()}
            best = {score: min(other[score] for other in others.values()) for score in COMPARED}
            print(f"\n{result.name}, lead {lead}")
            print(f"{'':15}" + "".join(f"{h:>{w}}" for h, w in zip(HEADS, SHOWN.values(), strict=True)))
            for method, scores in {**others, "this ensemble": ours}.items():
                print(f"{method:15}" + "".join(f"{scores[s]:>{w}.4g}" for s, w in SHOWN.items()))
            for score in COMPARED:
                ratios[score].append(ours[score] / best[score])
            print("to the best    " + "  ".join(f"{s} {ratios[s][-1]:.3f}" for s in COMPARED))
    for result in results:
        for check in result.checks:
            print(f"{result.name}: {check}")
    print("\nratio to the best baseline: geometric mean, worst")
    for score, found in ratios.items():
        print(f"  {score:10} {geometric_mean(found):.3f}  {max(found):.3f}")


def report_times(results: Sequence[Result], bench: Path) -> None:
    """Print what fits and forecasts took, beside what BASELINES.md says of the baselines'."""
    table = (bench / "BASELINES.md").read_text().partition("## Time")[2].splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table if line.startswith("|")]
    print("\nseries        method             fits   s per fit  ms per origin")
    for result in results:
        origins = len(result.calls_s) / 2
        mean_s, ms = sum(result.fits_s) / len(result.fits_s), 1000 * sum(result.calls_s) / origins
        ours = "this ensemble", str(len(result.fits_s)), f"{mean_s:.3f}", f"{ms:.3f}"
        others = [tuple(row[1:]) for row in rows if row[0] == result.name]
        for method, fits, fit_s, origin_ms in (*others, ours):
            print(f"{result.name:14}{method:15}{fits:>8}{fit_s:>12}{origin_ms:>15}")
        print(f"{'':14}first fit {result.fits_s[0]:.1f} s, all in {result.wall_s:.0f} s")


def _rolled(forecaster: Forecaster, demand: Demand, window: Window, refit_days: float) -> list[Row]:
    context = ForecastContext(steps=max(window.leads), levels=LEVELS)
    refit_steps = max(round(refit_days * DAY_S / demand.step_s), 1)
    return [row for rows in roll(forecaster, demand, context, window, refit_steps) for row in rows]


def _checked(job: Job, demand: Demand, window: Window, predictions: Path, share: float) -> str:
    """What score.py says, in one line, of forecasts from a copy that ends `share` into the `window`."""
    cut = window.first + round(share * (window.last - window.first))
    copy = demand.until(demand.start_s + (cut + 1) * demand.step_s)
    at = _stamp(demand, cut)
    part = predictions.with_stem(f"until-{cut}")
    made = _rolled(Ensemble(job.members), copy, Window(window.first, cut, window.leads), job.refit_days)
    write_rows(part, made, demand)
    found = _score(job, predictions, ("--causal-check", str(part), "--truncated-at", at))
    verdict = "causal" if found["causal"] else f"NOT CAUSAL: {found['at']}"
    return f"{verdict} up to {at}: {found['rows_compared']} forecasts compared"


def _score(job: Job, predictions: Path, *options: tuple[str, ...]) -> Any:
    command = [sys.executable, job.bench / "score.py", job.bench / job.about["file"], predictions]
    extra = [word for option in options for word in option]
    done = subprocess.run([*command, *extra], capture_output=True, text=True, check=False)
    if done.returncode == 2:
        raise SystemExit(f"{job.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def _position(demand: Demand, text: str) -> int:
    at_s = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    return round((at_s - demand.start_s) / demand.step_s)


def _stamp(demand: Demand, position: int) -> str:
    at = datetime.fromtimestamp(demand.start_s + position * demand.step_s, UTC)
    return at.replace(tzinfo=None).isoformat(sep=" ")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    main()
