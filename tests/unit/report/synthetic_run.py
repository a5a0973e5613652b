"""A made-up run, written as the files that a real one leaves: a day in six minutes, two services.

Arrivals, service times and forecasts come from one seed, so that the same run is written each time.
`barista` orders replicas for the demand 25 s ahead, `kpa` for the demand of the last 20 s.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np

STARTED_S = 1_700_000_000.0
LENGTH_S = 360
CYCLE_S = 5
SETUP_S = 20.0
FLAVORS = {"cpu-1": {"cpu": 1.0, "cost_per_hour": 0.05}, "cpu-2": {"cpu": 2.0, "cost_per_hour": 0.095}}
PER_REPLICA_RPS = {"cpu-1": 6.0, "cpu-2": 11.0}
SERVICES = {
    "default/digits": {
        "model": "digits",
        "slo_latency_s": 0.25,
        "slo_percentile": 0.95,
        "flavors": ["cpu-1"],
    },
    "default/taxi": {
        "model": "taxi",
        "slo_latency_s": 0.4,
        "slo_percentile": 0.95,
        "flavors": ["cpu-1", "cpu-2"],
    },
}


def rate_rps(service: str, elapsed_s: float) -> float:
    """The true demand: low at night, a rise in the morning, a peak in the evening."""
    hour = 24 * elapsed_s / LENGTH_S
    morning, evening = (9, 18) if service.endswith("digits") else (8, 20)
    bumps = 11 * math.exp(-(((hour - morning) / 1.6) ** 2)) + 17 * math.exp(-(((hour - evening) / 2.2) ** 2))
    return 1.5 + (bumps if service.endswith("digits") else 1.4 * bumps)


def write_run(directory: Path, policy: str = "barista", seed: int = 7) -> Path:
    """Write a run under `policy` to `directory`; the arrivals depend on `seed` alone."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    arrivals = {name: _arrivals(name, rng) for name in SERVICES}
    ordered = {name: _replicas(name, policy, arrivals[name]) for name in SERVICES}
    _write_json(
        directory / "run.json",
        {
            "policy": policy,
            "started_s": STARTED_S,
            "minutes": LENGTH_S / 60,
            "seed": seed,
            "clock": {"rate": 86_400 / LENGTH_S, "day": "2013-07-10", "time_zone": "America/New_York"},
            "services": SERVICES,
            "flavors": FLAVORS,
            "components": {
                "torchserve": "0.12.0",
                "prometheus": "3.1.0",
                "neuralprophet": "0.9.0",
                "cbc": "2.10.12",
            },
        },
    )
    _write_lines(directory / "cycles.jsonl", _cycles(policy, arrivals, ordered))
    _write_lines(directory / "decisions.jsonl", _decisions(policy, ordered))
    _write_requests(directory / "requests.csv", arrivals, ordered, rng)
    _write_json(directory / "usage.json", {name: _usage(ordered[name]) for name in SERVICES})
    return directory


Lives = list[tuple[float, float, str]]  # a replica: ordered at, stopped at (elapsed seconds), its flavor


def _arrivals(service: str, rng: np.random.Generator) -> np.ndarray:
    candidates = np.sort(rng.uniform(0, LENGTH_S, rng.poisson(40 * LENGTH_S)))
    keep = rng.uniform(0, 40, len(candidates)) < [rate_rps(service, t) for t in candidates]
    return candidates[keep]


def _flavor(service: str, elapsed_s: float) -> str:
    return "cpu-2" if service.endswith("taxi") and 90 < elapsed_s < 330 else "cpu-1"


def _wanted(service: str, policy: str, elapsed_s: float, arrivals: np.ndarray) -> dict[str, int]:
    if policy == "barista":
        ahead = [rate_rps(service, min(LENGTH_S, elapsed_s + k)) for k in (0, 10, 20, 30)]
        demand, flavor = 1.2 * max(ahead), _flavor(service, elapsed_s)
    else:
        window = (arrivals > elapsed_s - 20) & (arrivals <= elapsed_s)
        demand, flavor = 1.35 * window.sum() / 20, "cpu-1"
    return {flavor: max(1, math.ceil(demand / PER_REPLICA_RPS[flavor]))}


def _replicas(service: str, policy: str, arrivals: np.ndarray) -> Lives:
    """Replicas over the run: started when wanted, stopped 20 s after they were last wanted."""
    live: list[list] = [[-SETUP_S, math.inf, "cpu-1", 0.0]]
    for at in range(0, LENGTH_S, CYCLE_S):
        wanted = _wanted(service, policy, at, arrivals)
        for flavor in FLAVORS:
            held = [r for r in live if r[2] == flavor and r[1] > at]
            for replica in held[: wanted.get(flavor, 0)]:
                replica[3] = at
            for _ in range(wanted.get(flavor, 0) - len(held)):
                live.append([float(at), math.inf, flavor, at])
            for replica in held:
                if at - replica[3] >= SETUP_S + CYCLE_S:
                    replica[1] = at
    return [(start, min(stop, LENGTH_S + 5.0), flavor) for start, stop, flavor, _ in live]


def _phases(lives: Lives, at: float) -> dict[str, dict[str, int]]:
    phases: dict[str, dict[str, int]] = {}
    for start, stop, flavor in lives:
        counts = phases.setdefault(flavor, {"starting": 0, "ready": 0, "draining": 0})
        if start <= at < stop:
            counts["starting" if at < start + SETUP_S else "ready"] += 1
        elif stop <= at < stop + CYCLE_S:
            counts["draining"] += 1
    return phases


def _held(lives: Lives, at: float) -> dict[str, int]:
    held: dict[str, int] = dict.fromkeys(FLAVORS, 0)
    for start, stop, flavor in lives:
        held[flavor] += start <= at < stop
    return held


def _forecast(service: str, at: float) -> dict:
    mean = [rate_rps(service, at + 10 * k + 5) * (1 + 0.06 * math.sin(at / 9 + k)) for k in range(6)]
    levels = [0.05, 0.5, 0.95]
    spread = [1.5 + 0.12 * m for m in mean]
    rows = [[max(0.0, m + z * s) for m, s in zip(mean, spread, strict=True)] for z in (-1.2, 0, 1.2)]
    return {
        "origin_s": STARTED_S + at,
        "step_s": 10.0,
        "mean": mean,
        "levels": levels,
        "quantiles": rows,
        "made_by": "neuralprophet",
    }


def _cycles(policy: str, arrivals: dict[str, np.ndarray], ordered: dict[str, Lives]) -> list[dict]:
    lines = []
    for at in range(0, LENGTH_S, CYCLE_S):
        services = {}
        for name, seen in arrivals.items():
            phases = _phases(ordered[name], at)
            blind = 200 <= at < 215
            services[name] = {
                "demand_rps": None if blind else float(((seen > at - 10) & (seen <= at)).sum() / 10),
                "latency_s": None if blind else 0.12,
                "in_flight": None if blind else 2.0,
                "freshness": "missing" if blind else "fresh",
                "replicas": phases,
                "capacity_rps": sum(PER_REPLICA_RPS[f] * c["ready"] for f, c in phases.items()),
                "forecast": _forecast(name, at) if policy == "barista" else None,
                "target": _wanted(name, policy, at, seen),
                "binding": ["hold-when-blind"] if blind else [],
            }
        plan = {"status": "optimal", "planner": "mip", "cost": 0.02, "bound": 0.02, "seconds": 0.08}
        lines.append({"at": STARTED_S + at, "cycle_ms": 90.0 + at % 40, "services": services, "plan": plan})
    return lines


def _decisions(policy: str, ordered: dict[str, Lives]) -> list[dict]:
    lines = []
    for at in range(0, LENGTH_S, CYCLE_S):
        for name, lives in ordered.items():
            before, after = _held(lives, at - 0.01), _held(lives, at)
            for flavor in FLAVORS:
                if before[flavor] == after[flavor]:
                    continue
                rises = after[flavor] > before[flavor]
                text = f"{rate_rps(name, at + 25):.1f} rps foreseen within 25 s"
                lines.append(
                    {
                        "at": STARTED_S + at,
                        "service": name,
                        "kind": "horizontal",
                        "flavor": flavor,
                        "from": before[flavor],
                        "to": after[flavor],
                        "ready_at": STARTED_S + at + (SETUP_S if rises else 0),
                        "raw": {flavor: after[flavor]},
                        "bounded": {flavor: after[flavor]},
                        "final": {flavor: after[flavor]},
                        "reasons": [
                            {"rail": "plan", "text": text, "binds": False},
                            {"rail": "stabilisation", "text": "wanted for 20 s", "binds": not rises},
                        ],
                    }
                )
    return lines


def _write_requests(
    path: Path, arrivals: dict[str, np.ndarray], ordered: dict[str, Lives], rng: np.random.Generator
) -> None:
    """Each request goes to the replica that is free first; after 4 s of waiting it is refused."""
    rows = []
    for name, times in arrivals.items():
        free = [max(0.0, start + SETUP_S) for start, _, _ in ordered[name]]
        for at in times:
            ready = [i for i, (b, e, _) in enumerate(ordered[name]) if b + SETUP_S <= at < e]
            first = min(ready, key=lambda i: free[i])
            begin = max(at, free[first])
            if begin - at > 4:
                rows.append((STARTED_S + at, name, 503, 4.0, f"r{first}"))
                continue
            free[first] = begin + rng.lognormal(
                math.log(0.75 / PER_REPLICA_RPS[ordered[name][first][2]]), 0.2
            )
            rows.append((STARTED_S + at, name, 200, free[first] - at + 0.004, f"r{first}"))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("arrived_s", "service", "status", "latency_s", "replica"))
        writer.writerows((f"{a:.3f}", s, c, f"{x:.4f}", r) for a, s, c, x, r in sorted(rows))


def _usage(lives: Lives) -> dict:
    seconds: dict[str, float] = {}
    for start, stop, flavor in lives:
        seconds[flavor] = seconds.get(flavor, 0.0) + min(stop, LENGTH_S) - max(start, 0.0)
    cost = sum(s * FLAVORS[f]["cost_per_hour"] / 3600 for f, s in seconds.items())
    return {"replica_seconds": seconds, "cost": cost, "cold_starts": len(lives), "crashes": 0}


def _write_json(path: Path, document: dict) -> None:
    path.write_text(json.dumps(document, indent=1))


def _write_lines(path: Path, lines: list[dict]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
