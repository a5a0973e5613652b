"""Events: what the operator knows is coming, and no history tells.

A sale, a release, a strike: from one local time to another, with a name. Whoever can say how much it
changes demand states that as a factor; an event without one is for forecasters to learn from earlier
events of its name.
"""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

COLUMNS = ("start", "end", "name", "effect")


class WrongEvents(ValueError):
    """A line of an events file is wrong; the message says which and how to mend it."""


@dataclass(frozen=True, slots=True)
class Event:
    """`name` lasts from `start` until before `end`, as a local wall clock shows (naive times).

    `effect` is the factor it is stated to change demand by, None where nobody said.
    """

    start: datetime
    end: datetime
    name: str
    effect: float | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError(f"event {self.name!r}: need local times, without a UTC offset")
        if not self.start < self.end:
            raise ValueError(f"event {self.name!r}: end {self.end} is not after start {self.start}")
        if self.effect is not None and not 0 < self.effect < math.inf:
            raise ValueError(f"event {self.name!r}: effect {self.effect:g}: need a factor above 0, e.g. 1.5")


def read_events(lines: Iterable[str], place: str) -> tuple[Event, ...]:
    """The events of a CSV with a header line ``start,end,name,effect`` (`effect` may be empty or left out).

    WrongEvents names the line, after `place`.
    """
    reader = csv.DictReader(lines, strict=True)
    try:
        given = tuple(reader.fieldnames or ())
        if given not in (COLUMNS, COLUMNS[:-1]):
            raise WrongEvents(f"{place}:1: columns {','.join(given) or 'missing'}: need {','.join(COLUMNS)}")
        return tuple(_event(row, f"{place}:{reader.line_num}") for row in reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise WrongEvents(f"{place}:{reader.line_num + 1}: not CSV in UTF-8: {error}") from error


def _event(row: dict[str, str], place: str) -> Event:
    # DictReader keeps surplus cells under None, and gives None for those that a line lacks.
    if None in row or None in (row["start"], row["end"], row["name"]):
        raise WrongEvents(f"{place}: need {','.join(COLUMNS)}")
    if not row["name"].strip():
        raise WrongEvents(f"{place}: no name: need {','.join(COLUMNS)}")
    try:
        return Event(
            _local_time(row["start"]),
            _local_time(row["end"]),
            row["name"].strip(),
            _factor((row.get("effect") or "").strip()),
        )
    except ValueError as error:
        raise WrongEvents(f"{place}: {error}") from error


def _local_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"time {text!r}: need e.g. 2024-11-29 08:00") from None


def _factor(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"effect {text!r}: not a number") from None
