"""Lagged inputs: what a regression reads of the past and of the calendar to forecast one step.

Demand repeats itself by the day and the week, and goes on as it went in the last minutes. A model can
tell how much of each when it sees, for every origin and lead: the last values; the values around the
target a season earlier, and those before the origin a season earlier, so that it knows how today
differs from then; means over longer spans; and where in the day and the week the target lies.

All of this is by the local clock: across a clock change the same hour a day ago lies 23 or 25 hours back. A
public holiday is a day of the week of its own, which begins as a Sunday.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from barista.values.series import DAY_S, WEEK_S, Calendar, Demand, FloatArray

Positions = npt.NDArray[np.int64]
LAGS = np.arange(12)
"""Last values read one by one, by their distance from the last."""
SPANS = np.array([3, 6, 12, 24, 48])
"""Steps before an origin over which means are read, besides one season each."""
AROUND = np.array([-2, -1, 0, 1, 2])
"""Steps around the target, seasons earlier, that are read."""
BEFORE = np.array([1, 4, 12])
"""Steps up to the origin, seasons earlier, over which means are read."""
REPEATS = np.arange(1, 4)
"""Seasons looked back."""
ORDERS = np.arange(1, 5)
"""Harmonics of the day."""
WEEKDAYS = np.arange(6)
"""Days of the week told apart from the seventh."""
EPOCH_WEEKDAY, SATURDAY, HOLIDAY = 3, 5, 7
MEAN_RELEVANCE, CALENDAR_RELEVANCE = 0.5, 0.3
"""Relevance of means and of the calendar beside that of the last value."""


@dataclass(frozen=True, slots=True)
class Lagged:
    """Inputs of forecasts up to `steps` ahead, from values on a step of `step_s`.

    `distances`, in steps and rising, are one per season: its smallest multiple that reaches back over all
    `steps`. Where a history holds fewer of them than are read, its first one stands in for those before.
    """

    steps: int
    step_s: float
    calendar: Calendar
    distances: tuple[int, ...]

    @staticmethod
    def of(n: int, steps: int, step_s: float, calendar: Calendar, fewest: int) -> "Lagged":
        """The inputs that a history of `n` steps has for at least `fewest` origins."""
        ahead = steps + int(AROUND.max())
        multiples = {-(-ahead // season) * season for season in calendar.season_steps(step_s)}
        every = Lagged(steps, step_s, calendar, tuple(sorted(multiples)))
        while every.distances and n < every.first + steps + fewest:
            every = Lagged(steps, step_s, calendar, every.distances[:-1])
        return every

    @property
    def first(self) -> int:
        """The first origin (a number of values seen) that has inputs."""
        return max(self.distances, default=0) + len(LAGS)

    @property
    def memory(self) -> int:
        """Steps before an origin that make a difference to its inputs."""
        return len(REPEATS) * max(self.distances, default=0) + int(SPANS.max())

    @property
    def relevance(self) -> FloatArray:
        """How much each input is expected to matter, shape (inputs,), 1 at most.

        The further back, the less: the idea of the Minnesota prior (Litterman 1986, "Forecasting with
        Bayesian vector autoregressions").
        """
        near = 1.0 / (1.0 + LAGS) ** 2
        means = np.full(len(SPANS) + len(self.distances), MEAN_RELEVANCE)
        if not self.distances:
            return np.concatenate([near, means])
        seasons, repeat = len(self.distances), 1.0 / REPEATS**2
        before = np.outer(repeat, np.where(BEFORE == 1, 1.0, MEAN_RELEVANCE)).ravel()
        around = np.outer(repeat, 1.0 / (1.0 + np.abs(AROUND)) ** 2).ravel()
        moment = CALENDAR_RELEVANCE * np.append(np.repeat(1.0 / ORDERS**2, 2), 1.0)
        weekdays = np.full(len(WEEKDAYS) * self._weekly, CALENDAR_RELEVANCE)
        weekend = np.tile(moment[:-1], int(self._weekly))
        return np.concatenate(
            [
                near,
                means,
                np.tile(before, seasons),
                np.tile(around, seasons),
                moment,
                weekdays,
                weekend,
                np.tile(moment, seasons),
            ]
        )

    def read(self, demand: Demand, origins: Positions, leads: Positions) -> FloatArray:
        """The inputs for each origin (n,) and lead (m,), shape (n, m, inputs).

        An origin o has seen ``demand.values[:o]``, all of them finite; nothing later is read.
        """
        levels = self.levels(demand, origins, leads)
        if not self.distances:
            return levels
        moment, weekly = self._calendar(demand.start_s + self._targets(origins, leads) * self.step_s)
        anchors = levels[:, :1, self.anchors]
        habit = anchors[..., 1 : 1 + len(self.distances) * len(REPEATS)]
        unusual = anchors[..., :1] - habit.reshape(len(origins), 1, -1, len(REPEATS)).mean(axis=3)
        varying = unusual[..., None] * moment[:, :, None, :]
        return np.concatenate([levels, moment, *weekly, varying.reshape(*moment.shape[:2], -1)], axis=2)

    def levels(self, demand: Demand, origins: Positions, leads: Positions) -> FloatArray:
        """Those of the inputs that are values of `demand` or means of them, shape (n, m, levels)."""
        values = demand.values
        last = origins[:, None] - 1
        total = np.concatenate([[0.0], np.cumsum(values)])
        recent = [values[last - LAGS], _means(total, last, np.array([*SPANS, *self.distances]))]
        season = np.repeat(self.distances, len(REPEATS)).astype(np.int64)
        back = season * np.tile(REPEATS, len(self.distances))
        ahead = self._ahead(demand)
        then = _seasons_ago(last, back, season, ahead)
        before = _means(total, then[:, :, None], BEFORE).reshape(len(origins), -1)
        ago = _seasons_ago(self._targets(origins, leads)[:, :, None], back, season, ahead)
        around = _folded(ago[..., None] + AROUND, season[:, None])
        # Where the clock was put forward in between, a season ago may not be over yet.
        around = np.minimum(around, last[:, None, None])
        seen = np.concatenate([*recent, before], axis=1)[:, None, :]
        shape = ago.shape[:2]
        return np.concatenate(
            [np.broadcast_to(seen, (*shape, seen.shape[2])), values[around].reshape(*shape, -1)], axis=2
        )

    @property
    def anchors(self) -> Positions:
        """Which levels tell most: the last value, and seasons ago those at the origin and at the target."""
        repeats = len(self.distances) * len(REPEATS)
        before = len(LAGS) + len(SPANS) + len(self.distances)
        around = before + repeats * len(BEFORE)
        then = before + len(BEFORE) * np.arange(repeats) + int(np.flatnonzero(BEFORE == 1)[0])
        ago = around + len(AROUND) * np.arange(repeats) + int(np.flatnonzero(AROUND == 0)[0])
        return np.concatenate([[0], then, ago])

    def moments(self, demand: Demand, origins: Positions, leads: Positions) -> FloatArray:
        """Share of the shortest season gone by, and weekday, per target: shape (n, m, 2).

        Monday is 0, a holiday is HOLIDAY.
        """
        times_s = demand.start_s + self._targets(origins, leads) * self.step_s
        share = self._local_s(times_s) % self._season_s / self._season_s
        return np.stack([share, self._weekday(times_s)], axis=2)

    @staticmethod
    def _targets(origins: Positions, leads: Positions) -> Positions:
        return origins[:, None] - 1 + leads

    @property
    def _season_s(self) -> float:
        two_steps_s = 2 * self.step_s * self.calendar.rate
        return min((s for s in self.calendar.seasons_s if s >= two_steps_s), default=DAY_S)

    def _local_s(self, times_s: FloatArray) -> Positions:
        return self.calendar.local(times_s.ravel()).astype(np.int64).reshape(times_s.shape)

    def _weekday(self, times_s: FloatArray) -> Positions:
        weekday = (self._local_s(times_s) // int(DAY_S) + EPOCH_WEEKDAY) % 7
        return np.where(self.calendar.is_holiday(times_s), HOLIDAY, weekday)

    def _ahead(self, demand: Demand) -> Positions:
        """Steps by which the local clock is ahead of UTC, at each step of `demand` and the leads after it."""
        return _ahead(self.calendar, demand.start_s, self.step_s, len(demand) + self.steps)

    @property
    def _weekly(self) -> bool:
        return max(self.distances) * self.step_s * self.calendar.rate >= WEEK_S

    def _calendar(self, times_s: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        """Harmonics of the shortest season and the weekend; weekdays and the weekend's harmonics apart."""
        local_s = self._local_s(times_s)
        angle = 2 * np.pi * (local_s % self._season_s)[..., None] / self._season_s * ORDERS
        harmonics = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(*times_s.shape, -1)
        weekday = self._weekday(times_s)
        weekend = (weekday >= SATURDAY)[..., None].astype(float)
        weekly = [weekday[..., None] == WEEKDAYS, weekend * harmonics] if self._weekly else []
        return np.concatenate([harmonics, weekend], axis=-1), weekly


@lru_cache(maxsize=8)  # services that are forecast together have their steps in common
def _ahead(calendar: Calendar, start_s: float, step_s: float, n: int) -> Positions:
    ahead_s = calendar.utc_offsets_s(start_s + np.arange(n) * step_s) / calendar.rate
    return np.asarray(np.round(ahead_s / step_s), dtype=np.int64)


def _seasons_ago(at: Positions, back: Positions, season: Positions, ahead: Positions) -> Positions:
    """Where the local clock showed the same `back` steps before `at`; before the start, seasons later."""
    before = at - back
    return _folded(before + ahead[at] - ahead[np.maximum(before, 0)], season)


def _folded(positions: Positions, season: Positions) -> Positions:
    """Positions before the start moved on by whole seasons."""
    return np.where(positions < 0, positions % season, positions)


def _means(total: FloatArray, last: Positions, spans: Positions) -> FloatArray:
    """Means over the `spans` that end with position `last`, as far as there are values; broadcast."""
    end = last + 1
    start = np.maximum(end - spans, 0)
    means: FloatArray = (total[end] - total[start]) / (end - start)
    return means
