"""The published capacity heuristic: how many requests fit into one SLO window.

Barista (2019, arXiv 1904.01576): a configuration whose service time at the objective's percentile is
t serves ⌊SLO / t⌋ requests of one SLO window; c replicas serve c times as many. It looks at neither
queueing nor dispatch, so it is exact for nobody and simple for everybody.
"""

import math
from dataclasses import dataclass

from barista.values.profile import ExecutionProfile
from barista.values.service import DispatchRule, Slo


@dataclass(frozen=True, slots=True)
class PublishedCapacity:
    """⌊SLO / t⌋ requests per SLO window, worker and replica; t at the SLO's percentile."""

    def rps(self, profile: ExecutionProfile, slo: Slo, dispatch: DispatchRule, replicas: int) -> float:  # noqa: ARG002
        """Requests/s that `replicas` serve together; the dispatch rule does not enter."""
        time_s = profile.service_time.quantile(slo.percentile)
        if time_s <= 0:
            raise ValueError(
                f"profile of {profile.model} on {profile.flavor}: service time {time_s} s: measure it again"
            )
        in_window = math.floor(slo.latency_s / time_s + 1e-9)
        return replicas * profile.workers * in_window / slo.latency_s
