"""Runs a backtest: what is foreseen once, then every policy, setting and seed, in worker processes."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, track

from barista.cli.compose import OURS
from barista.cli.replay import ORACLE, Case, needed, oracle_tape, play, taped
from barista.cli.tape import Tape
from barista.policies import POLICIES, PolicyError, published
from barista.policies.knobs import knob
from barista.report.backtest import Backtest, Figures, Point, PolicyResult
from barista.workers import Inline, KillingPool

FORESEEING = (OURS, published.NAME)
"""Who is told what forecasters say."""
KNOWN = (OURS, ORACLE, *POLICIES, published.NAME)
ORACLES_SHARE = 0.2
"""Of the requests that the objective lets be late, the share that the oracle lets be as it comes."""

Play = Callable[[Case, str, Mapping[str, Any], int, Tape | None], Figures]
"""Plays a case under a policy with options and a seed, and what it foresees; picklable."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play: `policies`, as often as there are `seeds`, and over their knobs if `knobs` is set.

    `output` is where forecasts are kept, `workers` how many processes play (None: one a core).
    """

    policies: tuple[str, ...]
    seeds: int
    knobs: bool
    output: Path
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class _Setting:
    policy: str
    value: float | None
    options: Mapping[str, Any]


def run(case: Case, title: str, plan: Plan, play: Play = play) -> Backtest:
    """Play `case` as planned, each time by `play`. PolicyError when a policy is unknown."""
    for name in plan.policies:
        if name not in KNOWN:
            raise PolicyError(f"policy {name!r}: no such policy; known: {', '.join(KNOWN)}")
    settings = [setting for name in plan.policies for setting in _settings(name, case, plan.knobs)]
    # The others first: while they are played, what is foreseen is found out.
    settings.sort(key=lambda setting: setting.policy in FORESEEING)
    console = Console(stderr=True)
    count = len(settings) * plan.seeds
    with ExitStack() as stack:
        workers = min(plan.workers or os.cpu_count() or 1, count)
        executor: Executor = Inline() if workers < 2 else stack.enter_context(KillingPool(workers))
        shown = stack.enter_context(Progress(console=console, transient=True))
        bar = shown.add_task("playing", total=count)
        futures: dict[tuple[int, int], Future[Figures]] = {}
        for at, setting in enumerate(settings):
            tape = _tape(setting.policy, case, plan.output, shown)
            for seed in range(plan.seeds):
                future = executor.submit(play, case, setting.policy, setting.options, seed, tape)
                future.add_done_callback(lambda _: shown.advance(bar))
                futures[at, seed] = future
        runs = {key: future.result() for key, future in futures.items()}
    points = [
        (setting, Point(setting.value, tuple(runs[at, seed] for seed in range(plan.seeds))))
        for at, setting in enumerate(settings)
    ]
    return Backtest(
        title=title,
        unit="replica-hours" if case.cost_per_hour == 1 else "cost",
        start_s=case.start_s,
        step_s=case.demand.step_s,
        demand_rps=case.played.values,
        needed=needed(case, case.played),
        policies={name: _result(name, points) for name in plan.policies},
        notes=_notes(case),
    )


def tracked(over: Iterable[int], text: str) -> Iterable[int]:
    """The same numbers, with a progress bar on standard error."""
    return track(list(over), description=text, console=Console(stderr=True), transient=True)


def _settings(policy: str, case: Case, knobs: bool) -> list[_Setting]:
    standard = _Setting(policy, None, _options(policy, case))
    turned = knob(policy) if knobs else None
    if turned is None:
        return [standard]
    return [
        standard,
        *(_Setting(policy, value, {**standard.options, turned.option: value}) for value in turned.values),
    ]


def _options(policy: str, of: Case) -> dict[str, Any]:
    """What a policy must be told of the case. Sizing by hand knows the busiest step, a schedule the past."""
    match policy:
        case "oracle":
            return {"latency_percentile": 100 * (1 - ORACLES_SHARE * (1 - of.percentile))}
        case "static":
            return {"peak_rps": {of.service: float(np.nanmax(of.played.values))}}
        case "fair-share":
            return {"total": int(needed(of, of.played).max())}
        case "schedule":
            return {"counts": _by_hour(of), "time_zone": of.calendar.time_zone}
        case _:
            return {}


def _by_hour(of: Case) -> dict[str, int]:
    """Replicas that were enough in each hour of the day in 19 out of 20 steps of the past."""
    past = of.past if len(of.past) else of.played
    hours = of.calendar.local(past.times_s()).astype("datetime64[h]").astype(int) % 24
    counts = needed(of, past)
    return {
        f"{hour:02}:00": int(np.ceil(np.quantile(counts[hours == hour], 0.95)))
        for hour in range(24)
        if (hours == hour).any()
    }


def _result(name: str, points: Iterable[tuple[_Setting, Point]]) -> PolicyResult:
    mine = [point for setting, point in points if setting.policy == name]
    (standard,) = (point for point in mine if point.setting is None)
    curve = tuple(point for point in mine if point.setting is not None)
    turned = knob(name) if curve else None
    return PolicyResult(name, standard, turned.option if turned else "", curve)


def _tape(policy: str, case: Case, output: Path, shown: Progress) -> Tape | None:
    """What `policy` foresees; what forecasters say is kept in `output`, for the next time."""
    if policy == ORACLE:
        return oracle_tape(case)
    if policy not in FORESEEING:
        return None
    if policy == published.NAME:
        case = replace(case, forecaster=published.FORECASTER)
    path = output / "forecasts" / f"{case.forecaster}-{case.fingerprint()}.npz"
    if path.is_file():
        return Tape.read(path)
    bar = shown.add_task(f"forecasting ({case.forecaster})", total=case.end_s - case.start_s)
    tape = taped(case, lambda now_s: shown.update(bar, completed=now_s - case.start_s))
    path.parent.mkdir(parents=True, exist_ok=True)
    tape.write(path)
    shown.remove_task(bar)
    return tape


def _notes(case: Case) -> tuple[str, ...]:
    gaps = int(np.isnan(case.played.values).sum())
    hours = (case.end_s - case.start_s) / 3600
    setup = case.profile.setup_time
    notes = [
        f"{hours:,.0f} hours played, a cycle every {case.cycle_s:g} s;"
        f" learned from {len(case.past):,} steps before.",
        f"A request takes {1000 * case.profile.service_time.mean_s:.0f} ms on average"
        f" ({1000 * case.profile.service_time.quantile(0.95):.0f} ms at p95), a set-up {setup.mean_s:.0f} s.",
        f"Objective: {1000 * case.slo_s:g} ms at p{100 * case.percentile:g}. A refused request violates it.",
    ]
    if gaps:
        notes.append(f"{gaps} steps of the trace are gaps: in them no requests were played.")
    return tuple(notes)
