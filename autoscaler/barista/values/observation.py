"""What was seen of a service, each figure with its freshness: missing is never zero."""

from dataclasses import dataclass
from enum import StrEnum

from barista.values.series import Demand
from barista.values.service import ServiceId


class Freshness(StrEnum):
    """Whether a figure can be relied on."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure, the moment it stood for, and its freshness; `value` is None when missing."""

    value: float | None
    at_s: float | None
    freshness: Freshness

    @staticmethod
    def fresh(value: float, at_s: float) -> "Reading":
        """A figure of the moment `at_s` that can be relied on."""
        return Reading(value, at_s, Freshness.FRESH)

    @staticmethod
    def judged(value: float, at_s: float, now_s: float, stale_after_s: float) -> "Reading":
        """A figure of the moment `at_s`, stale when older than `stale_after_s` at `now_s`."""
        old = now_s - at_s > stale_after_s
        return Reading(value, at_s, Freshness.STALE if old else Freshness.FRESH)

    @staticmethod
    def missing() -> "Reading":
        """Nothing was seen."""
        return Reading(None, None, Freshness.MISSING)

    @property
    def is_fresh(self) -> bool:
        """Whether the figure can be relied on now."""
        return self.freshness is Freshness.FRESH


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of `service`.

    `demand_rps` is the offered request rate (served or not), `latency_s` the latency at the SLO's
    percentile over the last window, `in_flight` the requests in the platform (queued or served),
    `concurrency` their mean number in service. `recent` is the demand of the last window on
    the planning step, for updating forecasters; it is not needed to decide.
    """

    service: ServiceId
    demand_rps: Reading
    latency_s: Reading
    in_flight: Reading
    concurrency: Reading
    recent: Demand | None = None

    @staticmethod
    def missing(service: ServiceId) -> "Observation":
        """Nothing was seen of `service`."""
        nothing = Reading.missing()
        return Observation(service, nothing, nothing, nothing, nothing)
