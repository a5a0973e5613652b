"""How a new service is forecast in its first hour, day and week, beside last value and seasonal naive.

    python -m benchmarks.new_service [FOLDER] [--series taxi_open,bikes] [--starts 2] [--jobs 2]

A service begins to be watched at several moments of each series; of before nothing is known. The host is
told one value after the other, fits are ordered by the learner (refits once a day), and what is said after
each value is scored, whoever said it: a rung of the ladder or the ensemble. FOLDER holds the open series
(series.json and its CSV files); without it, shared/bench/forecast beside the checkout is taken if it is
there, else the departures of 2013. Scores are of the shortest lead, means over the starts; before a season
was seen, seasonal naive says the last value.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import geometric_mean

import numpy as np

from barista.cli.forecast import read_series
from barista.control.learn import Learner
from barista.forecast.evaluate import LEVELS, pinball
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.load.departures import compressed, departures_by_minute, midnight_s
from barista.ports.forecaster import ForecastContext
from barista.values.observation import Observation
from barista.values.series import DAY_S, WEEK_S, Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.workers import Inline

OPEN = Path(__file__).resolve().parents[2] / "shared" / "bench" / "forecast"
OURS, RIVALS = "ensemble", ("last-value", "seasonal-naive")
AGES_S = {"first hour": (0.0, 3600.0), "then the day": (3600.0, DAY_S), "then the week": (DAY_S, WEEK_S)}
NAME = ServiceId("bench/new")


@dataclass(frozen=True, slots=True)
class Life:
    """The first week of a service: its demand, and the leads (steps) asked for."""

    series: str
    demand: Demand
    leads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a value, by whom, how long after the first value."""

    age_s: float
    actual: float
    q50: float
    q95: float
    made_by: str


@dataclass(slots=True)
class Past:
    """A metric source that has seen `demand` up to the moment it is asked."""

    demand: Demand

    def observe(
        self,
        services: Sequence[Service],  # noqa: ARG002
        now_s: float,  # noqa: ARG002
        window_s: float,  # noqa: ARG002
        step_s: float,  # noqa: ARG002
    ) -> Mapping[ServiceId, Observation]:
        """Nothing: nobody asks."""
        return {}

    def history(
        self,
        services: Sequence[ServiceId],
        start_s: float,  # noqa: ARG002
        end_s: float,
        step_s: float,  # noqa: ARG002
    ) -> Mapping[ServiceId, Demand]:
        """Everything until `end_s`."""
        return dict.fromkeys(services, self.demand.until(end_s))


def main(arguments: Iterable[str] | None = None) -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=OPEN if OPEN.is_dir() else None)
    parser.add_argument("--series", help="names with commas; all by default")
    parser.add_argument("--starts", type=int, default=2, help="moments of each series to begin at")
    parser.add_argument("--jobs", type=int, default=2, help="lives played at once")
    given = parser.parse_args(None if arguments is None else list(arguments))
    wanted = given.series.split(",") if given.series else None
    found = _departures() if given.folder is None else _open_series(given.folder)
    lives = [
        Life(name, demand, leads)
        for name, (series, leads) in found.items()
        if wanted is None or name in wanted
        for demand in _weeks(series, given.starts)
    ]
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    jobs = [(life, name) for life in lives for name in (OURS, *RIVALS)]
    told: dict[tuple[str, str], list[Told]] = defaultdict(list)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for (life, name), played in zip(jobs, pool.map(play, *zip(*jobs, strict=True)), strict=True):
            told[life.series, name] += played
            print(f"{life.series}: {name} played", file=sys.stderr, flush=True)
    report(told, list(dict.fromkeys(life.series for life in lives)))


def play(life: Life, forecaster: str) -> list[Told]:
    """What the host tells of each value of a `life`, with `forecaster` chosen."""
    demand, lead = life.demand, min(life.leads)
    host = ForecasterHost(
        MakeForecaster(), ForecastContext(steps=max(life.leads), levels=LEVELS), demand.step_s, Inline()
    )
    learner = Learner(host, Past(demand), DAY_S, 4 * WEEK_S, demand.step_s)
    service = Service(NAME, "model", Slo(0.2), ("any",), forecaster=PluginChoice(forecaster))
    told = []
    for seen in range(1, len(demand) - lead + 1):
        now_s = demand.start_s + seen * demand.step_s
        host.observe(NAME, demand.until(now_s).last(1))
        learner.learn([service], now_s)
        made = host.foresee([service], now_s).get(NAME)
        actual = float(demand.values[seen + lead - 1])
        if made is not None and np.isfinite(actual):
            q50, q95 = made.quantile(0.5)[lead - 1], made.quantile(0.95)[lead - 1]
            told.append(Told(seen * demand.step_s, actual, q50, q95, made.made_by))
    return told


def report(told: Mapping[tuple[str, str], Sequence[Told]], names: Sequence[str]) -> None:
    """Print scores by series and age; then the geometric means of their ratios to last value's."""
    ratios: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    print(f"{'':15}{'':15}{'MAE':>10}{'':24}{'p95 pinball':>12}{'':24}{'by the':>10}")
    heads = "".join(f"{name:>16}" for name in (*RIVALS, OURS))
    print(f"{'series':15}{'age':15}{heads}  {heads}{OURS:>10}")
    for name in names:
        for age, (start_s, end_s) in AGES_S.items():
            rows = {f: [t for t in told[name, f] if start_s < t.age_s <= end_s] for f in (*RIVALS, OURS)}
            if not all(rows.values()):
                continue
            scores = {
                "mae": {
                    f: float(np.mean([abs(t.actual - t.q50) for t in found])) for f, found in rows.items()
                },
                "pinball": {f: _pinball(found) for f, found in rows.items()},
            }
            share = float(np.mean([t.made_by == OURS for t in rows[OURS]]))
            figures = "  ".join("".join(f"{v:>16.4g}" for v in by.values()) for by in scores.values())
            print(f"{name:15}{age:15}{figures}{share:>10.0%}")
            for score, by in scores.items():
                for rival in RIVALS:
                    if by[OURS] > 0 and by[rival] > 0:
                        ratios[score, age, rival].append(by[OURS] / by[rival])
    print("\nthe ensemble's ladder to the others: geometric mean over the series (worst)")
    for (score, age, rival), found in sorted(ratios.items()):
        print(f"{score:10}{age:15}to {rival:16}{geometric_mean(found):.3f} ({max(found):.3f})")


def _pinball(rows: Sequence[Told]) -> float:
    return pinball(np.array([t.actual for t in rows]), np.array([t.q95 for t in rows]), 0.95)


def _open_series(folder: Path) -> dict[str, tuple[Demand, tuple[int, ...]]]:
    about = json.loads((folder / "series.json").read_text())
    return {name: (read_series(folder / one["file"]), tuple(one["leads"])) for name, one in about.items()}


def _departures() -> dict[str, tuple[Demand, tuple[int, ...]]]:
    first = date(2013, 2, 1)
    minutes = departures_by_minute(first, 90)
    demand = compressed(minutes, start_s=midnight_s(first), step_s=900.0, rate=1.0, peak_rps=20.0)
    return {"departures": (demand, (2, 4))}


def _weeks(series: Demand, count: int) -> list[Demand]:
    """As many weeks, spread over the `series`, each a whole number of hours after its start."""
    steps, hour = round(WEEK_S / series.step_s), max(round(3600 / series.step_s), 1)
    begins = [round((k + 0.5) / count * (len(series) - steps)) // hour * hour for k in range(count)]
    return [
        Demand(series.start_s + begin * series.step_s, series.step_s, series.values[begin : begin + steps])
        for begin in begins
    ]


if __name__ == "__main__":
    main()
