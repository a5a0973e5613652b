"""Panels: one drawing of one service each, on axes that the caller lays out.

Every panel has seconds of the demo along x. Colours mean the same everywhere: grey what arrived, blue
what was foreseen, black what could be served, red the objective; coffee tones are flavors, from light
to dark with their vCPU; each policy keeps its colour through all panels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barista.report.recording import Run
from barista.report.scores import cost_so_far
from barista.values.forecast import Forecast
from barista.values.observation import Freshness
from barista.values.series import FloatArray

Axes = Any
INK, FAINT, ARRIVED, FORESEEN, OBJECTIVE = "#22282f", "#8b95a1", "#c3cad3", "#2b6cb0", "#c53030"
FLAVOR_COLOURS = ("#dcb98a", "#a5713f", "#5f3d22", "#8fa36b", "#4d6b57", "#b08fa8")
POLICY_COLOURS = ("#0f766e", "#dd6b20", "#6b46c1")
BIN_S = 5.0
LATENCY_WINDOW_S = 15.0


def flavor_colours(runs: Mapping[str, Run]) -> dict[str, str]:
    """A colour per flavor, darker with more vCPU."""
    flavors = {name: info.cpu for run in runs.values() for name, info in run.info.flavors.items()}
    ordered = sorted(flavors, key=lambda name: (flavors[name], name))
    return {name: FLAVOR_COLOURS[i % len(FLAVOR_COLOURS)] for i, name in enumerate(ordered)}


def policy_colours(runs: Mapping[str, Run]) -> dict[str, str]:
    """A colour per policy, in the order of `runs`."""
    return {name: POLICY_COLOURS[i % len(POLICY_COLOURS)] for i, name in enumerate(runs)}


def foresight_s(run: Run) -> float:
    """How far ahead a replica must be ordered: the median time from order to readiness, in seconds."""
    flavors = run.info.flavors
    waits = [d.ready_at_s - d.at_s for d in run.decisions if d.ready_at_s and d.rise(flavors) > 0]
    steps = [s.forecast.step_s for c in run.cycles for s in c.services.values() if s.forecast]
    return float(np.median(waits)) if waits else (steps[0] if steps else 0.0)


def demand(axes: Axes, run: Run, service: str) -> None:
    """What arrived against what was foreseen when a replica could still be ordered, and capacity."""
    start_s = run.info.started_s
    bins = max(1, int((run.end_s - start_s) // BIN_S))
    arrived = run.requests[service].rate(start_s, BIN_S, bins)
    axes.stairs(arrived, np.arange(bins + 1) * BIN_S, fill=True, color=ARRIVED, label="arrived")
    foreseen = _foreseen(run, service)
    if len(foreseen):
        times, mean, low, high = foreseen.T
        ahead = f"forecast, {foresight_s(run):.0f} s ahead"
        axes.plot(times, mean, color=FORESEEN, lw=1.6, label=ahead)
        axes.fill_between(times, low, high, color=FORESEEN, alpha=0.18, lw=0, label=_interval(run, service))
    seen = [(run.info.elapsed(c.at_s), c.services[service]) for c in run.cycles if service in c.services]
    capacity = [(t, s.capacity_rps) for t, s in seen if s.capacity_rps is not None]
    if capacity:
        times, values = np.array([*capacity, (run.info.elapsed(run.end_s), capacity[-1][1])]).T
        axes.step(times, values, where="post", color=INK, lw=1.3, label="capacity within the SLO")
    for left, right in _blind(run, service):
        axes.axvspan(left, right, color=OBJECTIVE, alpha=0.08, lw=0, label="no fresh metrics")
    axes.set_ylim(bottom=0)


def _forecasts(run: Run, service: str) -> list[Forecast]:
    seen = [c.services[service].forecast for c in run.cycles if service in c.services]
    return [forecast for forecast in seen if forecast is not None]


def _interval(run: Run, service: str) -> str:
    levels = next((f.levels for f in _forecasts(run, service) if f.levels), (0.0, 1.0))
    return f"its {levels[0] * 100:g}–{levels[-1] * 100:g} % interval"


def _foreseen(run: Run, service: str) -> FloatArray:
    """Rows (seconds of the demo, mean, lowest, highest quantile), each from one forecast's step."""
    ahead_s = foresight_s(run)
    rows = []
    for forecast in _forecasts(run, service):
        step = min(forecast.steps - 1, int(ahead_s // forecast.step_s))
        middle_s = forecast.origin_s + (step + 0.5) * forecast.step_s
        mean = forecast.mean[step]
        low = forecast.quantiles[0][step] if forecast.quantiles else mean
        high = forecast.quantiles[-1][step] if forecast.quantiles else mean
        if middle_s <= run.end_s:
            rows.append((run.info.elapsed(middle_s), mean, low, high))
    rows.sort()
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _blind(run: Run, service: str) -> list[tuple[float, float]]:
    """Spans of the demo (s) in which the controller had no fresh demand."""
    spans: list[tuple[float, float]] = []
    ends = [*(c.at_s for c in run.cycles[1:]), run.end_s]
    for cycle, end_s in zip(run.cycles, ends, strict=True):
        seen = cycle.services.get(service)
        if seen is not None and seen.freshness is not Freshness.FRESH:
            left, right = run.info.elapsed(cycle.at_s), run.info.elapsed(end_s)
            joins = bool(spans) and spans[-1][1] == left
            spans[-1:] = [(spans[-1][0], right)] if joins else [*spans[-1:], (left, right)]
    return spans


def most_replicas(run: Run) -> int:
    """The largest number of replicas that any service had at once."""
    held = (sum(n.paid for n in s.replicas.values()) for c in run.cycles for s in c.services.values())
    return max(held, default=0)


def replicas(axes: Axes, run: Run, service: str, colours: Mapping[str, str], most: int) -> None:
    """Replicas by flavor, stacked: filled while serving, hatched while starting; decisions below.

    The axis has room for `most` replicas, so that panels can be compared.
    """
    cycles = [c for c in run.cycles if service in c.services]
    edges = np.array([run.info.elapsed(t) for t in [*(c.at_s for c in cycles), run.end_s]])
    base = np.zeros(len(cycles))
    for flavor in (f for f in colours if any(f in c.services[service].replicas for c in cycles)):
        counts = [c.services[service].replicas.get(flavor) for c in cycles]
        for phase, style in _PHASES.items():
            top = base + [getattr(c, phase) if c else 0 for c in counts]
            if np.any(top > base):
                fill = {"facecolor": colours[flavor]} | style
                label = f"{flavor} {phase}" if phase != "draining" else None
                axes.stairs(top, edges, baseline=base, fill=True, label=label, **fill)
            base = top
    axes.set_ylim(-0.9, max(3, most) + 0.4)
    axes.axhline(0, color=FAINT, lw=0.8)
    for marker, rises, label in (("^", True, "order up"), ("v", False, "order down")):
        at = [
            run.info.elapsed(d.at_s)
            for d in run.decisions
            if d.service == service and (d.rise(run.info.flavors) > 0) is rises
        ]
        if at:
            axes.scatter(at, [-0.45] * len(at), marker=marker, s=16, color=INK, lw=0, label=label)
    axes.yaxis.get_major_locator().set_params(integer=True)


_PHASES: dict[str, dict[str, Any]] = {
    "ready": {"lw": 0},
    "starting": {"alpha": 0.55, "hatch": "//////", "edgecolor": "white", "lw": 0},
    "draining": {"alpha": 0.3, "lw": 0},
}


def latency(axes: Axes, runs: Mapping[str, Run], service: str, colours: Mapping[str, str]) -> None:
    """Latency of each request (dots) and its rolling p95 (line) against the SLO, on a log scale."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    for policy, run in runs.items():
        requests = run.requests[service]
        done = requests.completed
        times, values = requests.arrived_s[done] - run.info.started_s, requests.latency_s[done] * 1000
        axes.scatter(times, values, s=2.5, color=colours[policy], alpha=0.22, lw=0, rasterized=True)
        grid, p95 = _rolling_p95(times, values)
        axes.plot(
            grid, p95, color=colours[policy], lw=1.7, label=f"{policy}: p95 of {LATENCY_WINDOW_S:.0f} s"
        )
        failed = requests.arrived_s[~done] - run.info.started_s
        if len(failed):
            axes.scatter(
                failed,
                np.full(len(failed), 0.965),
                transform=axes.get_xaxis_transform(),
                marker="x",
                s=12,
                lw=0.8,
                color=colours[policy],
                label=f"{policy}: failed",
            )
    slo = next(iter(runs.values())).info.services[service].slo
    axes.set_yscale("log")
    # Ticks at 1, 2 and 5 of each decade, as plain numbers: powers of ten need room that is not there.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.axhline(slo.latency_s * 1000, color=OBJECTIVE, lw=1.2, ls=(0, (5, 3)))
    axes.annotate(
        f"SLO {slo}",
        (1, slo.latency_s * 1000),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-2, 2.5),
        textcoords="offset points",
        ha="right",
        size=7.5,
        color=OBJECTIVE,
        bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.6},
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, slo.latency_s * 2000) * 1.6)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")


def _rolling_p95(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The 95th percentile over the last `LATENCY_WINDOW_S` seconds, every 2 s; NaN without requests."""
    grid = np.arange(LATENCY_WINDOW_S / 2, (times[-1] if len(times) else 0.0) + 1, 2.0)
    left, right = np.searchsorted(times, grid - LATENCY_WINDOW_S), np.searchsorted(times, grid)
    p95 = [np.percentile(values[a:b], 95) if b > a else np.nan for a, b in zip(left, right, strict=True)]
    return grid, np.asarray(p95, dtype=np.float64)


def cost(axes: Axes, runs: Mapping[str, Run], service: str, colours: Mapping[str, str]) -> None:
    """Cost so far of each run."""
    for policy, run in runs.items():
        times, spent = cost_so_far(run.info, run.cycles, service, run.end_s)
        axes.plot(times - run.info.started_s, spent, color=colours[policy], lw=1.7, label=policy)
    axes.set_ylim(bottom=0)


def trace_clock(axes: Axes, run: Run, labels: Sequence[int] = (1, 2, 3, 4, 6, 12, 24)) -> None:
    """A second axis along the top: time of day in the trace."""
    hours = (run.end_s - run.info.started_s) * run.info.clock.rate / 3600
    every = next((h for h in labels if hours / h <= 8), 24)
    first = run.info.clock.day
    offset = (first.hour + first.minute / 60) % every
    marks = np.arange((every - offset) % every, hours + 1e-6, every)
    top = axes.secondary_xaxis("top")
    top.set_xticks(marks * 3600 / run.info.clock.rate)
    top.set_xticklabels([f"{run.info.clock.at(m * 3600 / run.info.clock.rate):%H:%M}" for m in marks])
    top.tick_params(length=2, labelsize=7.5, labelcolor=FAINT, color=FAINT)
    for spine in top.spines.values():
        spine.set_visible(False)
