"""Where a backtest's trace comes from: a CSV file, the bundled departures, or a Prometheus."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from barista.cli.forecast import WrongInput, read_series
from barista.load.departures import TIME_ZONE, midnight_s
from barista.load.history import departures_history, exported
from barista.platforms.knative.dialect import SeriesNames, Version, series_names
from barista.platforms.knative.metrics import KnativeMetrics
from barista.platforms.promql import NO_ANSWER, Querying
from barista.values.series import DAY_S, Calendar, Demand
from barista.values.service import ServiceId

FIRST_DAY, DAYS, DAYS_BEFORE = date(2013, 6, 3), 14, 28
"""What is played of the departures unless told otherwise, and what is known before."""
OLD = Version(1, 0)
"""A Knative whose queue-proxies name their series as they did before OpenTelemetry."""
LEARNT_SHARE = 0.25
"""Of another trace, the part that is only learned from unless told otherwise."""


class Progress(Protocol):
    """Wraps a loop so that a person sees how far it is."""

    def __call__(self, over: Iterable[int], text: str) -> Iterable[int]:
        """The same numbers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A service's counted demand, the part of it that is played if nothing is said, and its calendar."""

    service: ServiceId
    title: str
    demand: Demand
    start_s: float
    end_s: float
    calendar: Calendar


def of_csv(path: Path, time_zone: str) -> Trace:
    """The CSV at `path`: `timestamp,value`, where a value counts the requests of its step. WrongInput."""
    counts = read_series(path)
    demand = Demand(counts.start_s, counts.step_s, counts.values / counts.step_s)
    return _trace(ServiceId(f"default/{path.stem}"), str(path), demand, Calendar(time_zone))


def of_departures(step_s: float) -> Trace:
    """A fortnight of departures after four weeks of them. NoTrace without the data package."""
    demand = departures_history(FIRST_DAY - timedelta(days=DAYS_BEFORE), DAYS_BEFORE + DAYS, step_s)
    return Trace(
        ServiceId("default/departures"),
        f"departures from New York, {DAYS} days from {FIRST_DAY}",
        demand,
        midnight_s(FIRST_DAY),
        midnight_s(FIRST_DAY + timedelta(days=DAYS)),
        Calendar(TIME_ZONE),
    )


def of_prometheus(
    url: str, service: str, days: int, step_s: float, kept: Path, time_zone: str, progress: Progress
) -> Trace:
    """What the Prometheus at `url` recorded of `service` over the last `days`; kept in `kept`."""
    if service.count("/") != 1:
        raise WrongInput(f"--service {service!r}: need NAMESPACE/NAME of a Knative Service")
    name = ServiceId(service)
    try:
        Querying(url).instant("vector(1)", datetime.now(UTC).timestamp())
    except NO_ANSWER as error:
        raise WrongInput(f"--prometheus {url}: no answer: {error}") from error
    named = (series_names(None), series_names(OLD))
    sources = [KnativeMetrics(url, partial(_same, names), frozenset, step_s / 4, DAY_S) for names in named]

    def ask(start_s: float, end_s: float) -> Demand | None:
        found = [source.history([name], start_s, end_s, step_s).get(name) for source in sources]
        return max(
            (f for f in found if f is not None), key=lambda f: float(np.nansum(f.values)), default=None
        )

    first = datetime.now(UTC).date() - timedelta(days=days)
    demand = exported(
        ask,
        first,
        days,
        step_s,
        kept / service.replace("/", "-"),
        lambda over: progress(over, f"asking {url}"),
    )
    return _trace(name, f"{service} at {url}", demand, Calendar(time_zone))


def cut(trace: Trace, start: str | None, end: str | None) -> tuple[float, float]:
    """What is played: from `start` to `end` (--from, --to; the calendar's local times), on the trace's steps.

    WrongInput when that is not within the trace.
    """
    step_s, demand = trace.demand.step_s, trace.demand
    start_s = trace.start_s if start is None else _moment(start, "--from", trace.calendar)
    end_s = trace.end_s if end is None else _moment(end, "--to", trace.calendar)
    start_s = demand.start_s + round((start_s - demand.start_s) / step_s) * step_s
    end_s = min(demand.start_s + round((end_s - demand.start_s) / step_s) * step_s, demand.end_s)
    if not demand.start_s <= start_s < end_s:
        first, last = (datetime.fromtimestamp(at, UTC) for at in (demand.start_s, demand.end_s))
        raise WrongInput(
            f"--from {start}, --to {end}: nothing to play;"
            f" the trace goes from {first:%F %T} to {last:%F %T} UTC"
        )
    return start_s, end_s


def _trace(service: ServiceId, title: str, demand: Demand, calendar: Calendar) -> Trace:
    learnt = round(LEARNT_SHARE * len(demand)) * demand.step_s
    return Trace(service, title, demand, demand.start_s + learnt, demand.end_s, calendar)


def _moment(text: str, option: str, calendar: Calendar) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WrongInput(f"{option} {text!r}: need e.g. '2013-06-03 00:00'") from None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(calendar.time_zone))).timestamp()


def _same(names: SeriesNames) -> SeriesNames:
    return names
