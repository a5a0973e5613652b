"""The decision log: what every cycle saw and decided, as JSON lines.

``decisions.jsonl`` has a line a change, ``cycles.jsonl`` a line a cycle (what a report draws),
``quality.json`` how good forecasts lately turned out to be, and ``passes.jsonl`` the whole inputs and
outcome of the latest cycles, from which `explain` decides again. The last is bounded; the others grow by
what happens. What a killed writer left of a line is cut off when the next one begins.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from barista.control.cycle import Pass
from barista.control.rules import Rules
from barista.forecast.quality import Quality
from barista.rails.rail import Scene
from barista.values.decision import Applied, Decision, Horizontal
from barista.values.replica import Phase, count_by_flavor
from barista.values.situation import ServiceView

PASSES_KEPT = 200


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Where the log lies."""

    directory: Path

    @property
    def decisions(self) -> Path:
        """A line a change."""
        return self.directory / "decisions.jsonl"

    @property
    def cycles(self) -> Path:
        """A line a cycle."""
        return self.directory / "cycles.jsonl"

    @property
    def passes(self) -> Path:
        """The latest cycles whole, for explaining them."""
        return self.directory / "passes.jsonl"

    @property
    def quality(self) -> Path:
        """How good forecasts lately turned out to be."""
        return self.directory / "quality.json"

    @property
    def problems(self) -> Path:
        """What could not be applied."""
        return self.directory / "problems.jsonl"


class DecisionLog:
    """Writes the log below `directory` (made if absent); lines are flushed as they are written.

    `qualities` tells how good forecasts lately turned out to be.
    """

    def __init__(
        self, directory: Path, rules: Rules, qualities: Callable[[], tuple[Quality, ...]] = tuple
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._files, self._rules, self._qualities = LogFiles(directory), rules, qualities
        self._shown: tuple[Quality, ...] = ()
        files = self._files
        for path in (files.decisions, files.cycles, files.passes, files.problems):
            _cut_torn_line(path)
        kept = files.passes.read_text().splitlines() if files.passes.exists() else []
        self._recent: deque[str] = deque(kept, maxlen=PASSES_KEPT)
        self._passes_stored = len(kept)

    def cycle(self, done: Pass, seconds: float) -> None:
        """Record one cycle and its decisions."""
        _append(self._files.cycles, [self._cycle_line(done, seconds)])
        self.decisions(done.outcome.decisions)
        self._keep(done)
        self._show_quality()

    def decisions(self, decisions: Iterable[Decision]) -> None:
        """Record each change of the decisions."""
        _append(self._files.decisions, [line for d in decisions for line in decision_lines(d)])

    def not_applied(self, applied: Applied) -> None:
        """Record what the platform did not carry out."""
        _append(self._files.problems, [{"service": applied.service, "text": applied.text}])

    def _keep(self, done: Pass) -> None:
        line = encode_pass(done)
        self._recent.append(line)
        self._passes_stored += 1
        if self._passes_stored > 2 * PASSES_KEPT:
            _replace(self._files.passes, "".join(f"{kept}\n" for kept in self._recent))
            self._passes_stored = len(self._recent)
        else:
            with self._files.passes.open("a") as out:
                out.write(f"{line}\n")

    def _show_quality(self) -> None:
        qualities = self._qualities()
        if qualities != self._shown:
            _replace(self._files.quality, QUALITIES.dump_json(qualities).decode())
            self._shown = qualities

    def _cycle_line(self, done: Pass, seconds: float) -> dict[str, Any]:
        situation, plan = done.situation, done.plan
        scene = Scene(situation, situation.at_s, self._rules.capacity, self._rules.rails)
        decided = {decision.service: decision for decision in done.outcome.decisions}
        return {
            "at": situation.at_s,
            "cycle_ms": seconds * 1000,
            "services": {
                view.service.id: {
                    **_seen(view),
                    "replicas": _replicas(view),
                    "capacity_rps": scene.capacity_rps(view, _ready(view)),
                    "forecast": _forecast(done, view),
                    "target": decided[view.service.id].final if view.service.id in decided else {},
                    "binding": decided[view.service.id].binding if view.service.id in decided else [],
                }
                for view in situation.services
            },
            "plan": {
                "status": plan.status,
                "planner": plan.planner,
                "cost": plan.cost,
                "bound": plan.bound,
                "seconds": sum(plan.seconds.values()),
            },
        }


def decision_lines(decision: Decision) -> list[dict[str, Any]]:
    """The decision log's lines for one decision: one per change."""
    common = {
        "ready_at": decision.ready_at_s,
        "raw": dict(decision.raw),
        "bounded": dict(decision.bounded),
        "final": dict(decision.final),
        "reasons": [{"rail": r.rail, "text": r.text, "binds": r.binds} for r in decision.reasons],
    }
    lines = []
    for change in decision.changes:
        head: dict[str, Any] = {"at": decision.at_s, "service": decision.service}
        if isinstance(change, Horizontal):
            head |= {"kind": "horizontal", "flavor": change.flavor, "from": change.before, "to": change.after}
        else:
            head |= {"kind": "vertical", "flavor": change.after, "from": change.before, "to": change.after}
            head["count"] = change.count
        lines.append(head | common)
    return lines


# A tuple of one: pydantic takes no configuration beside a dataclass. Without it inf and NaN become null.
_PASS: TypeAdapter[tuple[Pass]] = TypeAdapter(tuple[Pass], config=ConfigDict(ser_json_inf_nan="constants"))


QUALITIES: TypeAdapter[tuple[Quality, ...]] = TypeAdapter(tuple[Quality, ...])


def encode_pass(done: Pass) -> str:
    """One pass as a JSON line; recent demand is left out, for deciding does not read it."""
    services = tuple(
        replace(view, observation=replace(view.observation, recent=None)) for view in done.situation.services
    )
    slim = replace(done, situation=replace(done.situation, services=services))
    return _PASS.dump_json((slim,)).decode()


def decode_pass(line: str) -> Pass:
    """The pass of a JSON line. ValueError when it is not one."""
    return _PASS.validate_json(line)[0]


def _seen(view: ServiceView) -> dict[str, Any]:
    seen = view.observation
    return {
        "demand_rps": seen.demand_rps.value,
        "latency_s": seen.latency_s.value,
        "in_flight": seen.in_flight.value,
        "freshness": seen.demand_rps.freshness,
    }


def _ready(view: ServiceView) -> dict[str, int]:
    return count_by_flavor(r for r in view.replicas or () if r.phase is Phase.READY)


def _replicas(view: ServiceView) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for replica in view.replicas or ():
        by_phase = counts.setdefault(replica.flavor, {str(phase): 0 for phase in Phase})
        by_phase[str(replica.phase)] += 1
    return counts


def _forecast(done: Pass, view: ServiceView) -> dict[str, Any] | None:
    forecast = done.forecasts.get(view.service.id)
    if forecast is None:
        return None
    return {
        "origin_s": forecast.origin_s,
        "step_s": forecast.step_s,
        "mean": forecast.mean,
        "levels": forecast.levels,
        "quantiles": forecast.quantiles,
        "made_by": forecast.made_by,
    }


def _cut_torn_line(path: Path) -> None:
    """A writer that was killed may have left half a line; what is appended must not join it."""
    if path.exists():
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            with path.open("r+b") as file:
                file.truncate(end)


def _replace(path: Path, content: str) -> None:
    aside = path.with_suffix(".tmp")
    aside.write_text(content)
    aside.replace(path)


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    if lines:
        with path.open("a") as out:
            out.writelines(json.dumps(line) + "\n" for line in lines)
