"""The replayed trace and the history of the case, read from their files; the moments of the requests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cluster.queueing import Floats, Ints

MINUTE_S = 60


class WrongTrace(Exception):
    """A file of the case is not what PROTOCOL.md says; the message names the file and the mend."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is replayed: requests per minute, shape (minutes, services), of the day and of the days before it.

    `day_minutes` is how long a day of the history is.
    """

    trace: Ints
    history: Ints
    day_minutes: int

    @property
    def seconds(self) -> int:
        """How long the replay lasts."""
        return len(self.trace) * MINUTE_S

    def arrivals_s(self, seed: int) -> list[Floats]:
        """When the requests of each service are sent (seconds from the start).

        A minute with n requests sends the first at once and the others after exponential gaps of a mean of
        60/n s, so it may run into the next one.
        """
        chances = np.random.default_rng([seed, 0]).spawn(self.trace.shape[1])
        return [_sent_s(self.trace[:, k], chance) for k, chance in enumerate(chances)]


def read_case(trace: Path, history: Path) -> Case:
    """The case of two CSV files: ``minute,service…`` and ``day,minute,service…`` (else WrongTrace)."""
    names, replayed = _table(trace)
    told, before = _table(history)
    if names[:1] != ["minute"] or told[:2] != ["day", "minute"]:
        raise WrongTrace(f"{trace}, {history}: need columns minute,service… and day,minute,service…")
    if names[1:] != told[2:]:
        raise WrongTrace(f"{history}: its services {told[2:]} are not those of {trace}: {names[1:]}")
    return Case(replayed[:, 1:], before[:, 2:], int(before[:, 1].max()) + 1)


def _table(path: Path) -> tuple[list[str], Ints]:
    try:
        with path.open(encoding="utf-8") as lines:
            names = lines.readline().strip().split(",")
            rows = np.loadtxt(lines, delimiter=",", dtype=np.int64, ndmin=2)
    except OSError as error:
        raise WrongTrace(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise WrongTrace(f"{path}: {error}: need whole numbers of requests") from error
    if not len(rows) or rows.shape[1] != len(names):
        raise WrongTrace(f"{path}: {len(names)} columns named, {rows.shape[1] if len(rows) else 0} found")
    return names, rows


def _sent_s(counts: Ints, chance: np.random.Generator) -> Floats:
    minutes = [
        minute * MINUTE_S + np.concatenate([[0.0], chance.exponential(MINUTE_S / count, count - 1).cumsum()])
        for minute, count in enumerate(counts.tolist())
        if count > 0
    ]
    return np.sort(np.concatenate(minutes)) if minutes else np.empty(0)
