"""What came of a simulated run: latencies, refusals and what was paid, per service and together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from barista.platforms.simulated.ledger import Paid
from barista.values.series import FloatArray
from barista.values.service import ServiceId, Slo


@dataclass(frozen=True, slots=True, eq=False)
class ServiceRun:
    """One service's requests, in order of arrival, and what it used.

    `latencies_s`, shape (n,), is NaN where a request was refused or still waited at the end.
    `replica_seconds` are by flavor; `changes` counts the decisions that changed something; `paid` is the
    time of each replica.
    """

    slo: Slo
    latencies_s: FloatArray
    refused: int
    replica_seconds: Mapping[str, float]
    cost: float
    cold_starts: int
    changes: int
    paid: tuple[Paid, ...] = ()

    @property
    def requests(self) -> int:
        """How many requests came."""
        return len(self.latencies_s)

    @property
    def violations(self) -> int:
        """Requests that were late, refused, or never answered."""
        return self.requests - int(np.count_nonzero(self.latencies_s <= self.slo.latency_s))

    @property
    def slo_violation_ratio(self) -> float | None:
        """Share of the requests that were not answered within the SLO; None without requests."""
        return self.violations / self.requests if self.requests else None

    def latency_s(self, percentile: float) -> float | None:
        """Latency at `percentile` (a fraction) of the answered requests; None when there are none."""
        answered = self.latencies_s[~np.isnan(self.latencies_s)]
        return float(np.quantile(answered, percentile)) if answered.size else None

    @property
    def p50_s(self) -> float | None:
        """Median latency."""
        return self.latency_s(0.5)

    @property
    def p95_s(self) -> float | None:
        """Latency that 95 % of the answered requests kept."""
        return self.latency_s(0.95)

    @property
    def p99_s(self) -> float | None:
        """Latency that 99 % of the answered requests kept."""
        return self.latency_s(0.99)


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """A run from `start_s` to `end_s`: every service's part, and their sums."""

    start_s: float
    end_s: float
    services: Mapping[ServiceId, ServiceRun]

    @property
    def requests(self) -> int:
        """How many requests came to all services."""
        return sum(run.requests for run in self.services.values())

    @property
    def slo_violation_ratio(self) -> float | None:
        """Share of all requests that were not answered within their SLO; None without requests."""
        violations = sum(run.violations for run in self.services.values())
        return violations / self.requests if self.requests else None

    @property
    def cost(self) -> float:
        """What all replicas cost."""
        return sum(run.cost for run in self.services.values())

    @property
    def cold_starts(self) -> int:
        """How many replicas were set up from nothing."""
        return sum(run.cold_starts for run in self.services.values())
