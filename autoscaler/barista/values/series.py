"""Demand as a regular series, and the calendar it is read by."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from barista.values.events import Event
from barista.values.holidays import are_holidays

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
HOURS_TOGETHER = 2048
"""Hours whose distance from UTC is found out at once."""


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
    """How a moment of the series' clock reads on a wall calendar, and what the calendar says of it.

    Normally clock and calendar agree (`rate` 1). A compressed replay plays `rate` calendar seconds
    per second, anchored where `clock_s` meets `calendar_s`. Seasons are in calendar seconds.
    `country` is an ISO code (``DE``, ``DE-BY``) whose public holidays count; empty for none.

    The `effect` that an event states is taken out of what forecasters see and put on what they say
    (`barista.forecast.effects`); of events without one they may learn, by `in_events`.
    """

    time_zone: str = "UTC"
    rate: float = 1.0
    clock_s: float = 0.0
    calendar_s: float = 0.0
    seasons_s: tuple[float, ...] = (DAY_S, WEEK_S)
    country: str = ""
    events: tuple[Event, ...] = ()

    def calendar_times(self, times_s: FloatArray) -> FloatArray:
        """Calendar seconds since the epoch (UTC) of moments of the series' clock."""
        return self.calendar_s + (times_s - self.clock_s) * self.rate

    def local(self, times_s: FloatArray) -> npt.NDArray[np.datetime64]:
        """Local wall-calendar times (naive), shape of `times_s`."""
        utc = np.round(self.calendar_times(times_s)).astype("int64")
        return np.asarray(utc + self.utc_offsets_s(times_s), dtype="datetime64[s]")

    def utc_offsets_s(self, times_s: FloatArray) -> npt.NDArray[np.int64]:
        """Calendar seconds by which local time is ahead of UTC, shape of `times_s`."""
        if self.time_zone == "UTC":
            return np.zeros(times_s.shape, dtype=np.int64)
        zone = ZoneInfo(self.time_zone)
        # Offsets change at most hourly: they are looked up by the hour, in tables that are made once.
        hours = np.round(self.calendar_times(times_s)).astype("int64") // 3600
        if not hours.size:
            return hours
        first, last = int(hours.min()) // HOURS_TOGETHER, int(hours.max()) // HOURS_TOGETHER
        tables = [_utc_offsets_s(zone, together) for together in range(first, last + 1)]
        offsets = tables[0] if first == last else np.concatenate(tables)
        found: npt.NDArray[np.int64] = offsets[hours - first * HOURS_TOGETHER]
        return found

    def is_holiday(self, times_s: FloatArray, days_later: int = 0) -> BoolArray:
        """Whether the local day `days_later` than each moment's is a public holiday, shape of `times_s`.

        `days_later` 1 marks the days before holidays, -1 those after. UnknownCountry without holidays.
        """
        if not self.country:
            return np.zeros(times_s.shape, dtype=bool)
        days = self.local(times_s).astype("datetime64[D]")
        return are_holidays(np.asarray(days + days_later, dtype="datetime64[D]"), self.country)

    def in_events(self, times_s: FloatArray) -> dict[str, BoolArray]:
        """Whether each moment lies in an event that states no effect; by name, shape of `times_s`."""
        local, found = self.local(times_s), dict[str, BoolArray]()
        for event in self.events:
            if event.effect is None:
                inside = _during(event, local)
                found[event.name] = found.get(event.name, np.zeros_like(inside)) | inside
        return found

    def stated_effects(self, times_s: FloatArray) -> FloatArray:
        """The factor on demand that events state at each moment: their product, 1 where none does."""
        local, factors = self.local(times_s), np.ones(times_s.shape)
        for event in self.events:
            if event.effect is not None:
                factors[_during(event, local)] *= event.effect
        return factors

    def season_steps(self, step_s: float) -> tuple[int, ...]:
        """The seasons in whole steps of `step_s` clock seconds; seasons under two steps left out."""
        steps = (round(season / self.rate / step_s) for season in self.seasons_s)
        return tuple(n for n in steps if n >= 2)


@lru_cache(maxsize=2**8)  # decades of them: they are asked for again with every forecast
def _utc_offsets_s(zone: ZoneInfo, together: int) -> npt.NDArray[np.int64]:
    """Seconds ahead of UTC in each of the `HOURS_TOGETHER` hours from `together` times as many on."""
    first = together * HOURS_TOGETHER
    offsets = (
        datetime.fromtimestamp(hour * 3600, zone).utcoffset() for hour in range(first, first + HOURS_TOGETHER)
    )
    return np.array([0 if offset is None else int(offset.total_seconds()) for offset in offsets])


def _during(event: Event, local: npt.NDArray[np.datetime64]) -> BoolArray:
    start, end = np.datetime64(event.start), np.datetime64(event.end)
    inside: BoolArray = (local >= start) & (local < end)
    return inside
