"""Scores: the figures of a run, each defined once, here.

A request counts as within the objective when it was answered with success (2xx) no later than the
SLO's latency; everything else, a failure included, is a violation. What was used and what it cost
is the agent's count; for a run that was cut off it is added up from the cycles.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from barista.report.recording import Run
from barista.report.records import Cycle, LoggedDecision, RunInfo
from barista.values.series import FloatArray

WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Score:
    """What one service got and what it used. None: there is nothing to tell it from.

    `replica_seconds` is by flavor, `cost` in the currency of the flavors' cost per hour.
    """

    name: str
    requests: int
    completed: int
    violations: int
    p50_ms: float | None
    p95_ms: float | None
    replica_seconds: Mapping[str, float]
    cost: float
    cold_starts: int | None
    crashes: int | None

    @property
    def failed(self) -> int:
        """Requests without a successful answer."""
        return self.requests - self.completed

    @property
    def slo_violation_ratio(self) -> float | None:
        """Share of the requests that failed or came too late."""
        return self.violations / self.requests if self.requests else None

    def document(self) -> dict[str, Any]:
        """As it stands in ``report.json``; `replica_seconds` is the sum over flavors."""
        return {
            "name": self.name,
            "requests": self.requests,
            "completed": self.completed,
            "failed": self.failed,
            "slo_violation_ratio": self.slo_violation_ratio,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "replica_seconds": sum(self.replica_seconds.values()),
            "cost": self.cost,
            "cold_starts": self.cold_starts,
        }


@dataclass(frozen=True, slots=True)
class Ahead:
    """A scale-up that was ready before the load that needed it.

    From `exceeded_at_s` on, for 10 s, `exceeded_rps` requests per second arrived: more than the
    `capacity_before_rps` that the service had without the scale-up.
    """

    decision: LoggedDecision
    ready_at_s: float
    capacity_before_rps: float
    exceeded_at_s: float
    exceeded_rps: float

    @property
    def lead_s(self) -> float:
        """Seconds between readiness and need."""
        return self.exceeded_at_s - self.ready_at_s

    def document(self) -> dict[str, Any]:
        """As it stands in ``report.json`` under ``foresight``."""
        decision = self.decision
        return {
            "service": decision.service,
            "flavor": decision.flavor,
            "from": decision.before,
            "to": decision.after,
            "at": decision.at_s,
            "ready_at": self.ready_at_s,
            "capacity_before_rps": self.capacity_before_rps,
            "exceeded_at": self.exceeded_at_s,
            "exceeded_rps": self.exceeded_rps,
            "lead_s": self.lead_s,
        }


def score(run: Run, service: str) -> Score:
    """The figures of `service` in `run`."""
    requests = run.requests[service]
    answered = requests.latency_s[requests.completed]
    late = int(np.count_nonzero(answered > run.info.services[service].slo_latency_s))
    used = run.usage.get(service) if run.usage else None
    seconds = used.replica_seconds if used else replica_seconds(run, service)
    return Score(
        name=service,
        requests=len(requests),
        completed=len(answered),
        violations=len(requests) - len(answered) + late,
        p50_ms=_percentile_ms(answered, 50),
        p95_ms=_percentile_ms(answered, 95),
        replica_seconds=seconds,
        cost=used.cost if used else float(cost_so_far(run.info, run.cycles, service, run.end_s)[1][-1]),
        cold_starts=used.cold_starts if used else None,
        crashes=used.crashes if used else None,
    )


def scores(run: Run) -> tuple[Score, ...]:
    """The figures of every service in `run`."""
    return tuple(score(run, service) for service in run.services)


def total(parts: tuple[Score, ...], name: str = "all services") -> Score:
    """The sums over services; latency percentiles do not add up and are left out."""
    whole = replace(parts[0], name=name, p50_ms=None, p95_ms=None)
    for part in parts[1:]:
        flavors = [
            *whole.replica_seconds,
            *(f for f in part.replica_seconds if f not in whole.replica_seconds),
        ]
        whole = replace(
            whole,
            requests=whole.requests + part.requests,
            completed=whole.completed + part.completed,
            violations=whole.violations + part.violations,
            replica_seconds={
                f: whole.replica_seconds.get(f, 0.0) + part.replica_seconds.get(f, 0.0) for f in flavors
            },
            cost=whole.cost + part.cost,
            cold_starts=_sum(whole.cold_starts, part.cold_starts),
            crashes=_sum(whole.crashes, part.crashes),
        )
    return whole


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _percentile_ms(latency_s: FloatArray, percentile: float) -> float | None:
    return float(np.percentile(latency_s, percentile)) * 1000 if len(latency_s) else None


def replica_seconds(run: Run, service: str) -> dict[str, float]:
    """Seconds that replicas existed, by flavor, added up from cycle to cycle."""
    ends = [*(c.at_s for c in run.cycles[1:]), max(run.end_s, run.cycles[-1].at_s)]
    seconds: dict[str, float] = {}
    for cycle, end_s in zip(run.cycles, ends, strict=True):
        seen = cycle.services.get(service)
        for flavor, counts in (seen.replicas if seen else {}).items():
            seconds[flavor] = seconds.get(flavor, 0.0) + counts.paid * (end_s - cycle.at_s)
    return seconds


def cost_so_far(
    info: RunInfo, cycles: tuple[Cycle, ...], service: str, end_s: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Moments (s since the epoch) and the cost of `service` until then, from cycle to cycle.

    Both of shape (n,) for n cycles, one more when `end_s` is given.
    """
    times = [cycle.at_s for cycle in cycles]
    if end_s is not None:
        times.append(max(end_s, times[-1]))
    spent = [0.0]
    for cycle, end in zip(cycles, times[1:], strict=False):
        seen = cycle.services.get(service)
        rate = sum(
            counts.paid * info.flavors[flavor].cost_per_hour / 3600
            for flavor, counts in (seen.replicas if seen else {}).items()
        )
        spent.append(spent[-1] + rate * (end - cycle.at_s))
    return np.asarray(times), np.asarray(spent)


def ahead_of_load(run: Run) -> list[Ahead]:
    """The scale-ups that were ready before the load that needed them, by time.

    A scale-up is ready at its decision's `ready_at`, unless the cycles since show otherwise. The load
    needs it in the first window of 10 s, from its order on and before the service is next scaled
    down, in which more requests per second arrive than the service had capacity for just before the
    scale-up took effect. A scale-up that was late, or that no load ever needed, is not listed.
    """
    found = (_ahead(run, decision) for decision in run.decisions if _is_rise(run, decision))
    return sorted((a for a in found if a), key=lambda a: a.decision.at_s)


def _is_rise(run: Run, decision: LoggedDecision) -> bool:
    return decision.rise(run.info.flavors) > 0


def _ahead(run: Run, decision: LoggedDecision) -> Ahead | None:
    ready_at_s = decision.ready_at_s
    capacity = _capacity_before(run, decision)
    need = _need(run, decision, capacity) if capacity is not None else None
    if ready_at_s is None or capacity is None or need is None:
        return None
    exceeded_at_s, exceeded_rps = need
    since = [c for c in run.cycles if ready_at_s <= c.at_s <= exceeded_at_s]
    if ready_at_s > exceeded_at_s or (since and not _is_ready(since[-1], decision)):
        return None
    return Ahead(decision, ready_at_s, capacity, exceeded_at_s, exceeded_rps)


def _capacity_before(run: Run, decision: LoggedDecision) -> float | None:
    """Capacity (requests/s) in the last cycle before the scale-up was ready."""
    capacity = None
    for cycle in run.cycles:
        if cycle.at_s > decision.at_s and (
            cycle.at_s >= (decision.ready_at_s or math.inf) or _is_ready(cycle, decision)
        ):
            break
        seen = cycle.services.get(decision.service)
        if seen is not None and seen.capacity_rps is not None:
            capacity = seen.capacity_rps
    return capacity


def _is_ready(cycle: Cycle, decision: LoggedDecision) -> bool:
    seen = cycle.services.get(decision.service)
    counts = seen.replicas.get(decision.flavor) if seen else None
    wanted = decision.after if isinstance(decision.after, int) else decision.count
    return counts is not None and counts.ready >= wanted


def _need(run: Run, decision: LoggedDecision, capacity_rps: float) -> tuple[float, float] | None:
    """Start of, and arrivals per second in, the first window above `capacity_rps`."""
    falls = (
        d.at_s
        for d in run.decisions
        if d.service == decision.service and d.at_s > decision.at_s and d.rise(run.info.flavors) < 0
    )
    until_s = min(falls, default=run.end_s)
    start_s = run.info.started_s + WINDOW_S * math.floor(run.info.elapsed(decision.at_s) / WINDOW_S)
    windows = max(0, math.floor((until_s - start_s) / WINDOW_S))
    rates = run.requests[decision.service].rate(start_s, WINDOW_S, windows)
    above = np.flatnonzero(rates > capacity_rps)
    return (start_s + WINDOW_S * int(above[0]), float(rates[above[0]])) if len(above) else None


def report_json(runs: Mapping[str, Run]) -> dict[str, Any]:
    """The report's figures as one JSON document; the first of `runs` is the one it is about."""
    if not runs:
        raise ValueError("report: no run given: give at least one")
    first = next(iter(runs.values()))
    document = {"components": dict(first.info.components), **_run_json(first)}
    if len(runs) > 1:
        document["runs"] = {policy: _run_json(run) for policy, run in runs.items()}
    return document


def _run_json(run: Run) -> dict[str, Any]:
    cycle_ms = np.array([cycle.cycle_ms for cycle in run.cycles])
    return {
        "policy": run.info.policy,
        "services": [part.document() for part in scores(run)],
        "decisions": [dict(decision.document) for decision in run.decisions],
        "cycles": {
            "count": len(cycle_ms),
            "mean_ms": float(cycle_ms.mean()),
            "p95_ms": float(np.percentile(cycle_ms, 95)),
            "max_ms": float(cycle_ms.max()),
        },
        "foresight": [ahead.document() for ahead in ahead_of_load(run)],
    }
