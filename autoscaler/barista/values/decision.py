"""Decisions: what to apply now for each service, and the reasons that led to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from barista.values.replica import Counts
from barista.values.service import Authority, ServiceId


@dataclass(frozen=True, slots=True)
class Reason:
    """One step from what the plan said to what is applied.

    `rail` names who spoke (``plan``, or a guard rail); `binds` tells whether it changed the counts.
    """

    rail: str
    text: str
    binds: bool = False


class ChangeKind(StrEnum):
    """Horizontal: a count of replicas changes. Vertical: a replica changes its flavor in place."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


@dataclass(frozen=True, slots=True)
class Horizontal:
    """The number of replicas of `flavor` goes from `before` to `after`."""

    flavor: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Vertical:
    """`count` replicas change in place from flavor `before` to flavor `after` of the same family."""

    before: str
    after: str
    count: int


Change = Horizontal | Vertical


@dataclass(frozen=True, slots=True)
class Decision:
    """What `service` should hold from now on.

    `current` is what it holds, `raw` what the plan asked for, `bounded` what the guard rails left
    of that, `final` what is applied under `authority`; all are replicas by flavor. `changes` turn
    `current` into `final`; `ready_at_s` is when the last of them serves. `planned` is unset where there was
    no plan to follow: then `raw` is only what was held.
    """

    service: ServiceId
    at_s: float
    authority: Authority
    current: Counts
    raw: Counts
    bounded: Counts
    final: Counts
    changes: tuple[Change, ...]
    ready_at_s: float
    reasons: tuple[Reason, ...]
    planned: bool = True

    @property
    def binding(self) -> tuple[str, ...]:
        """Names of the guard rails that changed something, in order."""
        return tuple(r.rail for r in self.reasons if r.binds)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a decision on the platform."""

    service: ServiceId
    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Boost:
    """Replicas that surge asked for, honoured by the next cycles until `until_s`."""

    counts: Counts
    until_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the plan wanted at a moment, kept for stabilisation."""

    at_s: float
    counts: Counts
    capacity_rps: float


@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """What is remembered of one service from cycle to cycle.

    `seen_at_s` is since when demand and replicas have been seen without a gap; None while they are
    not, as after a start: until that has lasted, nothing is lowered. `surge_off` says why surge
    could not look (None: it could).
    """

    boost: Boost | None = None
    wishes: tuple[Wish, ...] = ()
    seen_at_s: float | None = None
    surge_off: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """The one value that passes from cycle to cycle."""

    services: Mapping[ServiceId, ServiceMemory] = field(default_factory=dict)
    cycles: int = 0

    def of(self, service: ServiceId) -> ServiceMemory:
        """What is remembered of `service`; an empty memory if it is new."""
        return self.services.get(service, ServiceMemory())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of a situation: one decision per service, and the memory to pass on."""

    decisions: tuple[Decision, ...]
    memory: Memory
