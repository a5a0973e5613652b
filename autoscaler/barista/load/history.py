"""History: how many requests came to a service in each step, as it was recorded somewhere.

A history is demand (rates) on one regular step, so a count is the rate times the step. Of the bundled
departures each one is a request; what is asked of a Prometheus is kept on disk, day by day, so that an
interrupted export goes on where it stopped.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from barista.load.departures import MINUTE_S, departures_by_minute, midnight_s
from barista.values.series import DAY_S, Demand

Ask = Callable[[float, float], Demand | None]
"""The demand recorded within ``[start_s, end_s)``; None where nothing was."""


class NoHistory(Exception):
    """There is nothing to play again; the message says where, and what to do."""


def departures_history(first: date, days: int, step_s: float) -> Demand:
    """The departures of `days` days from `first` (in New York) on `step_s`, a whole number of minutes.

    NoTrace when the data package is not installed.
    """
    minutes = round(step_s / MINUTE_S)
    if minutes < 1 or minutes * MINUTE_S != step_s:
        raise NoHistory(f"step {step_s:g} s: departures are known by the minute: use a multiple of 60")
    by_minute = departures_by_minute(first, days)
    steps = len(by_minute) // minutes
    counts = by_minute[: steps * minutes].reshape(steps, minutes).sum(axis=1)
    return Demand(midnight_s(first), step_s, counts / step_s)


def exported(
    ask: Ask,
    first_day: date,
    days: int,
    step_s: float,
    kept: Path,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> Demand:
    """What `ask` tells of `days` whole days from `first_day` (UTC), on `step_s`; NaN where it tells nothing.

    Days that lie in the directory `kept` are not asked for again. `progress` wraps the loop over the days.
    NoHistory when nothing at all was recorded.
    """
    kept.mkdir(parents=True, exist_ok=True)
    steps = round(DAY_S / step_s)
    if steps * step_s != DAY_S:
        raise NoHistory(f"step {step_s:g} s: a day must hold a whole number of steps, as of 60 or 300 s")
    begin_s = (first_day - date(1970, 1, 1)).days * DAY_S
    rows = []
    for number in progress(range(days)):
        path = kept / f"{first_day + timedelta(days=number)}-{step_s:g}s.npy"
        if path.is_file():
            rows.append(np.load(path))
            continue
        day_s = begin_s + number * DAY_S
        found, row = ask(day_s, day_s + DAY_S), np.full(steps, np.nan)
        if found is not None:
            at = round((found.start_s - day_s) / step_s)
            row[at : at + len(found)] = found.values[: steps - at]
        np.save(path, row)
        rows.append(row)
    values = np.concatenate(rows)
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        raise NoHistory(
            f"nothing was recorded on {days} days from {first_day}: name another service, or more days"
        )
    return Demand(begin_s + seen[0] * step_s, step_s, values[seen[0] : seen[-1] + 1])
