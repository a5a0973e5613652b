"""A recording: what one run left in its directory, read back as one frozen value.

While a run lasts, the controller appends a line per cycle and per decision, the load client a line
per request; at the end the agent writes what was used. The report knows nothing but these files, so
it can be made again at any time, also for a run that was cut off: a torn last line is left out.

All times in the files are seconds since the epoch; `Run.elapsed` turns them into seconds of the demo.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from barista.report.records import (
    Cycle,
    LoggedDecision,
    RecordingError,
    RunInfo,
    Usage,
    parse,
    parse_line,
)
from barista.values.series import FloatArray

RUN, CYCLES, DECISIONS, REQUESTS, USAGE = (
    "run.json",
    "cycles.jsonl",
    "decisions.jsonl",
    "requests.csv",
    "usage.json",
)
COLUMNS = ("arrived_s", "service", "status", "latency_s", "replica")


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Requests of one service by arrival, each array of shape (n,).

    `status` is the HTTP status, 0 when nothing answered; `latency_s` is NaN where none was written.
    """

    arrived_s: FloatArray
    status: npt.NDArray[np.int64]
    latency_s: FloatArray

    def __len__(self) -> int:
        return len(self.arrived_s)

    @property
    def completed(self) -> npt.NDArray[np.bool_]:
        """Which requests were answered with success (2xx)."""
        answered = (self.status >= 200) & (self.status < 300) & np.isfinite(self.latency_s)
        return np.asarray(answered, dtype=np.bool_)

    def rate(self, start_s: float, step_s: float, steps: int) -> FloatArray:
        """Arrivals per second in `steps` windows of `step_s` seconds from `start_s`."""
        edges = start_s + np.arange(steps + 1) * step_s
        return np.asarray(np.diff(np.searchsorted(self.arrived_s, edges)) / step_s, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run: what was to happen (`info`) and what did. `usage` is None when the run was cut off."""

    info: RunInfo
    cycles: tuple[Cycle, ...]
    decisions: tuple[LoggedDecision, ...]
    requests: Mapping[str, Requests]
    usage: Mapping[str, Usage] | None

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services, in the order of ``run.json``."""
        return tuple(self.info.services)

    @property
    def end_s(self) -> float:
        """End of the run: as announced, or earlier when it was cut off."""
        seen = [self.cycles[-1].at_s, *(r.arrived_s[-1] for r in self.requests.values() if len(r))]
        return float(min(self.info.started_s + 60 * self.info.minutes, max(seen) + 1))


def read_info(directory: Path) -> RunInfo:
    """What `directory`'s ``run.json`` says. RecordingError when it is missing or wrong."""
    return parse(RunInfo, _json(directory / RUN), f"{directory / RUN}")


def read_run(directory: Path) -> Run:
    """The run recorded in `directory`. RecordingError names the file and line that cannot be read."""
    info = read_info(directory)
    cycles = _lines(Cycle, directory / CYCLES)
    if not cycles:
        raise RecordingError(f"{directory / CYCLES}: holds no cycle: the run ended before its first one")
    _check_flavors(info, cycles, directory / CYCLES)
    changed = (directory / DECISIONS).exists()
    decisions = _lines(LoggedDecision, directory / DECISIONS) if changed else ()
    usage = None
    if (directory / USAGE).exists():
        usage = {
            name: parse(Usage, used, f"{directory / USAGE}: {name}")
            for name, used in _json(directory / USAGE).items()
        }
    return Run(info, cycles, decisions, _requests(directory / REQUESTS, tuple(info.services)), usage)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise RecordingError(
            f"{path}: cannot be read: {error.strerror or error}; give the directory of a run"
        ) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise RecordingError(f"{path}: not JSON at line {error.lineno}: {error.msg}") from error


_R = TypeVar("_R", Cycle, LoggedDecision)


def _lines(kind: type[_R], path: Path) -> tuple[_R, ...]:
    """The records in `path`; what follows the last end of line is torn, and left out."""
    lines = _text(path).split("\n")[:-1]
    return tuple(parse_line(kind, line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip())


def _check_flavors(info: RunInfo, cycles: tuple[Cycle, ...], path: Path) -> None:
    used = {f for cycle in cycles for seen in cycle.services.values() for f in seen.replicas}
    unknown = sorted(used - set(info.flavors))
    if unknown:
        raise RecordingError(
            f"{path}: flavor {', '.join(unknown)}: no such flavor in {RUN}, so it has no price;"
            f" known: {', '.join(sorted(info.flavors))}"
        )


def _requests(path: Path, services: tuple[str, ...]) -> dict[str, Requests]:
    text = _text(path)
    whole = text[: text.rfind("\n") + 1]  # a last line without its end may be torn within a number
    rows = csv.DictReader(whole.splitlines())
    missing = [c for c in COLUMNS[:4] if c not in (rows.fieldnames or ())]
    if missing:
        raise RecordingError(f"{path}:1: no column {', '.join(missing)}; need {','.join(COLUMNS)}")
    found: dict[str, list[tuple[float, int, float]]] = {name: [] for name in services}
    for row in rows:
        try:
            values = (float(row["arrived_s"]), int(row["status"]), float(row["latency_s"] or "nan"))
            found[row["service"]].append(values)
        except (TypeError, ValueError) as error:
            raise RecordingError(f"{path}:{rows.line_num}: {error}; remove the line") from error
        except KeyError:
            raise RecordingError(
                f"{path}:{rows.line_num}: service {row['service']!r} is not in {RUN};"
                f" known: {', '.join(services)}"
            ) from None
    return {name: _sorted(values) for name, values in found.items()}


def _sorted(values: list[tuple[float, int, float]]) -> Requests:
    table = np.array(sorted(values), dtype=np.float64).reshape(-1, 3)
    return Requests(table[:, 0], table[:, 1].astype(np.int64), table[:, 2])
