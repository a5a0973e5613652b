"""Records: the lines that a running demo writes, as frozen values, checked when they are read.

Times are seconds since the epoch; `RunInfo.elapsed` turns them into seconds of the demo. Fields that
are not named here are let pass: a newer writer does not break an older report.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from barista.values.decision import ChangeKind, Reason
from barista.values.forecast import Forecast
from barista.values.observation import Freshness
from barista.values.service import Slo


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

    @model_validator(mode="before")
    @classmethod
    def _keep_the_line(cls, line: Any) -> Any:
        return line | {"document": line} if isinstance(line, dict) else line

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


_R = TypeVar("_R", bound=BaseModel)


def parse(kind: type[_R], document: Any, place: str) -> _R:
    """`document` as a record of `kind`; RecordingError names `place` and the field."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordingError(f"{place}: {where or 'the line'}: {first['msg']}") from error


def parse_line(kind: type[_R], line: str, place: str) -> _R:
    """A line of JSON as a record of `kind`; RecordingError names `place`."""
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise RecordingError(f"{place}: not JSON: {error.msg}; remove the line") from error
    return parse(kind, document, place)
