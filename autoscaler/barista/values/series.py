"""Demand as a regular series, and the calendar it is read by."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Offered load on a regular step.

    `values[i]`, shape (n,), is the mean rate in requests/s over
    ``[start_s + i*step_s, start_s + (i+1)*step_s)`` (seconds since the epoch).
    NaN is a gap: nothing was seen, which is not zero.
    """

    # Read by pydantic where stored values are decoded; it cannot look into an array.
    __pydantic_config__ = {"arbitrary_types_allowed": True}  # noqa: RUF012

    start_s: float
    step_s: float
    values: FloatArray

    def __post_init__(self) -> None:
        if not self.step_s > 0:
            raise ValueError(f"demand: step_s {self.step_s}: must be above 0")
        if self.values.ndim != 1:
            raise ValueError(f"demand: values have shape {self.values.shape}: need one dimension")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def end_s(self) -> float:
        """End of the last step: the origin of a forecast made from this series."""
        return self.start_s + len(self.values) * self.step_s

    def times_s(self) -> FloatArray:
        """Start of every step, shape (n,)."""
        return self.start_s + np.arange(len(self.values)) * self.step_s

    def until(self, end_s: float) -> "Demand":
        """The steps that are over at `end_s`."""
        n = int(np.clip(np.floor((end_s - self.start_s) / self.step_s + 1e-9), 0, len(self)))
        return Demand(self.start_s, self.step_s, self.values[:n])

    def last(self, n: int) -> "Demand":
        """The last `n` steps (fewer if there are fewer)."""
        n = min(n, len(self))
        return Demand(self.end_s - n * self.step_s, self.step_s, self.values[len(self) - n :])


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a moment of the series' clock reads on a wall calendar.

    Normally the two agree (`rate` 1). A compressed replay plays `rate` calendar seconds per
    second, anchored where `clock_s` meets `calendar_s`. Seasons are in calendar seconds.
    """

    time_zone: str = "UTC"
    rate: float = 1.0
    clock_s: float = 0.0
    calendar_s: float = 0.0
    seasons_s: tuple[float, ...] = (DAY_S, WEEK_S)

    def calendar_times(self, times_s: FloatArray) -> FloatArray:
        """Calendar seconds since the epoch (UTC) of moments of the series' clock."""
        return self.calendar_s + (times_s - self.clock_s) * self.rate

    def local(self, times_s: FloatArray) -> npt.NDArray[np.datetime64]:
        """Local wall-calendar times (naive), shape of `times_s`."""
        utc = np.round(self.calendar_times(times_s)).astype("int64")
        if self.time_zone == "UTC":
            return np.asarray(utc, dtype="datetime64[s]")
        zone = ZoneInfo(self.time_zone)
        # Offsets change at most hourly: one lookup per distinct hour keeps long series quick.
        hours, inverse = np.unique(utc // 3600, return_inverse=True)
        offsets = np.array([_utc_offset_s(zone, int(hour) * 3600) for hour in hours])
        return np.asarray(utc + offsets[inverse], dtype="datetime64[s]")

    def season_steps(self, step_s: float) -> tuple[int, ...]:
        """The seasons in whole steps of `step_s` clock seconds; seasons under two steps left out."""
        steps = (round(season / self.rate / step_s) for season in self.seasons_s)
        return tuple(n for n in steps if n >= 2)


def _utc_offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
