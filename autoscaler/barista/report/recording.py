"""A recording: what one run left in its directory, read back as one frozen value.

While a run lasts, the controller appends a line per cycle and per decision, the load client a line
per request; at the end the agent writes what was used. The report knows nothing but these files, so
it can be made again at any time, also for a run that was cut off: a torn last line is left out.

All times in the files are seconds since the epoch; `Run.elapsed` turns them into seconds of the demo.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from barista.values.decision import ChangeKind, Reason
from barista.values.forecast import Forecast
from barista.values.observation import Freshness
from barista.values.series import FloatArray
from barista.values.service import Slo

RUN, CYCLES, DECISIONS, REQUESTS, USAGE = (
    "run.json",
    "cycles.jsonl",
    "decisions.jsonl",
    "requests.csv",
    "usage.json",
)
COLUMNS = ("arrived_s", "service", "status", "latency_s", "replica")


class RecordingError(Exception):
    """A run's directory cannot be read; the message names the file, the line and the mend."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _fraction(percentile: Any) -> Any:
    return percentile / 100 if isinstance(percentile, int | float) and percentile > 1 else percentile


class ServiceInfo(_Record):
    """A service of the run; `slo_percentile` is a fraction (percent is understood too)."""

    model: str
    slo_latency_s: float = Field(gt=0)
    slo_percentile: Annotated[float, BeforeValidator(_fraction)] = Field(0.95, gt=0, lt=1)
    flavors: tuple[str, ...] = ()

    @property
    def slo(self) -> Slo:
        """The latency objective as a value."""
        return Slo(self.slo_latency_s, self.slo_percentile)


class FlavorInfo(_Record):
    """A flavor's vCPU and its price per replica and hour."""

    cpu: float
    cost_per_hour: float


class Clock(_Record):
    """How the run's seconds read in the trace: `rate` calendar seconds per second from `day` on.

    `day` is a date (from midnight on) or a date with a time, local in `time_zone`.
    """

    rate: float = Field(1.0, gt=0)
    day: datetime
    time_zone: str = "UTC"

    def at(self, elapsed_s: float) -> datetime:
        """Local time of the trace (naive) `elapsed_s` seconds after the run's start."""
        return self.day + timedelta(seconds=elapsed_s * self.rate)


class RunInfo(_Record):
    """What `run.json` says of a run before it starts."""

    policy: str
    started_s: float
    minutes: float = Field(gt=0)
    seed: int | None = None
    clock: Clock
    services: Mapping[str, ServiceInfo] = Field(min_length=1)
    flavors: Mapping[str, FlavorInfo]
    components: Mapping[str, str | None] = Field(default_factory=dict)

    def elapsed(self, at_s: float) -> float:
        """Seconds of the demo at the moment `at_s` (seconds since the epoch)."""
        return at_s - self.started_s


class PhaseCounts(_Record):
    """Replicas of one flavor by where they stand in their life."""

    starting: int = 0
    ready: int = 0
    draining: int = 0

    @property
    def paid(self) -> int:
        """Replicas that exist and are paid for, whatever they do."""
        return self.starting + self.ready + self.draining


class ServiceCycle(_Record):
    """One service in one cycle: what was seen, foreseen and wanted. None means not seen."""

    demand_rps: float | None = None
    latency_s: float | None = None
    in_flight: float | None = None
    freshness: Freshness = Freshness.FRESH
    replicas: Mapping[str, PhaseCounts] = Field(default_factory=dict)
    capacity_rps: float | None = None
    forecast: Forecast | None = None
    target: Mapping[str, int] = Field(default_factory=dict)
    binding: tuple[str, ...] = ()


class PlanNote(_Record):
    """How planning ended in a cycle."""

    status: str
    planner: str = ""
    cost: float | None = None
    bound: float | None = None
    seconds: float | Mapping[str, float] | None = None


class Cycle(_Record):
    """One cycle: a line of ``cycles.jsonl``."""

    at_s: float = Field(alias="at")
    cycle_ms: float
    services: Mapping[str, ServiceCycle]
    plan: PlanNote | None = None


class LoggedDecision(_Record):
    """One change: a line of ``decisions.jsonl``.

    Horizontal: `before` and `after` count replicas of `flavor`. Vertical: they are flavors, and
    `count` replicas change. `document` is the line as it was written.
    """

    at_s: float = Field(alias="at")
    service: str
    kind: ChangeKind
    flavor: str
    before: int | str = Field(alias="from")
    after: int | str = Field(alias="to")
    count: int = 1
    ready_at_s: float | None = Field(None, alias="ready_at")
    raw: Mapping[str, int] = Field(default_factory=dict)
    bounded: Mapping[str, int] = Field(default_factory=dict)
    final: Mapping[str, int] = Field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    document: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    def rise(self, flavors: Mapping[str, FlavorInfo]) -> float:
        """Change in vCPU held: above 0 for a scale-up. Unknown flavors weigh 1 vCPU."""

        def cpu(name: str) -> float:
            return flavors[name].cpu if name in flavors else 1.0

        if isinstance(self.before, int) and isinstance(self.after, int):
            return (self.after - self.before) * cpu(self.flavor)
        return self.count * (cpu(str(self.after)) - cpu(str(self.before)))


class Usage(_Record):
    """What one service used, as the agent that runs the replicas counted it."""

    replica_seconds: Mapping[str, float]
    cost: float
    cold_starts: int | None = None
    crashes: int | None = None


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
        done: npt.NDArray[np.bool_] = (self.status >= 200) & (self.status < 300)
        return done & np.isfinite(self.latency_s)

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
    cycles = tuple(parse(Cycle, line, place) for place, line in _lines(directory / CYCLES))
    if not cycles:
        raise RecordingError(f"{directory / CYCLES}: holds no cycle: the run ended before its first one")
    decisions = tuple(
        parse(LoggedDecision, line | {"document": line}, place)
        for place, line in (_lines(directory / DECISIONS) if (directory / DECISIONS).exists() else ())
    )
    usage = None
    if (directory / USAGE).exists():
        usage = {
            name: parse(Usage, used, f"{directory / USAGE}: {name}")
            for name, used in _json(directory / USAGE).items()
        }
    return Run(info, cycles, decisions, _requests(directory / REQUESTS, tuple(info.services)), usage)


_R = TypeVar("_R", bound=BaseModel)


def parse(kind: type[_R], document: Any, place: str) -> _R:
    """`document` as a record of `kind`; RecordingError names `place` and the field."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordingError(f"{place}: {where or 'the line'}: {first['msg']}") from error


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


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    text = _text(path)
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield f"{path}:{number}", json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                return  # torn: the writer was cut off within its last line
            raise RecordingError(f"{path}:{number}: not JSON: {error.msg}; remove the line") from error


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
