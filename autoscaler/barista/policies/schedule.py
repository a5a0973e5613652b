"""Schedule: counts by the time of day, as they are set by hand for known busy hours."""

import math
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from barista.policies.counting import Look

NAME = "schedule"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rule: from each time of day in `zone` on, its count, times `factor`, rounded up."""

    counts: tuple[tuple[time, int], ...]
    zone: ZoneInfo
    factor: float

    def __call__(self, look: Look, /) -> tuple[int, str]:
        """The count of the last time that has come; before the first of a day, that of the evening before."""
        now = datetime.fromtimestamp(look.at_s, self.zone).time()
        in_order = sorted(self.counts)
        since, count = max((entry for entry in in_order if entry[0] <= now), default=in_order[-1])
        return math.ceil(
            round(self.factor * count, 9)
        ), f"{count} from {since:%H:%M} on, times {self.factor:g}"
