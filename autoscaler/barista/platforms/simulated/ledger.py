"""The ledger: which flavor was paid for from when to when, how many replicas were set up, and when
anything was changed.

A replica is paid for from when it was placed until it is gone, and until its lease ends if that is later.
"""

import math
from collections import defaultdict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paid:
    """A replica of `flavor` that was paid for over that time."""

    flavor: str
    from_s: float
    until_s: float


@dataclass(slots=True)
class _Line:
    flavor: str
    from_s: float
    until_s: float = math.inf


class Ledger:
    """What the replicas of one service used."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._open: dict[str, _Line] = {}
        self._set_up_at_s: list[float] = []
        self._changed_at_s: list[float] = []

    def set_up(self, at_s: float) -> None:
        """A replica was set up from nothing at `at_s`."""
        self._set_up_at_s.append(at_s)

    def changed(self, at_s: float) -> None:
        """A decision changed something at `at_s`."""
        self._changed_at_s.append(at_s)

    def begin(self, replica: str, flavor: str, at_s: float) -> None:
        """From `at_s` on `replica` is paid for as `flavor`."""
        self.end(replica, at_s)
        line = _Line(flavor, at_s)
        self._lines.append(line)
        self._open[replica] = line

    def end(self, replica: str, at_s: float) -> None:
        """`replica` is paid for until `at_s`; a replica that never began is not paid for."""
        line = self._open.pop(replica, None)
        if line is not None:
            line.until_s = at_s

    def replica_seconds(self, from_s: float, until_s: float) -> dict[str, float]:
        """Replica seconds paid for within ``[from_s, until_s]``, by flavor."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for line in self._lines:
            paid_s = min(line.until_s, until_s) - max(line.from_s, from_s)
            if paid_s > 0:
                seconds[line.flavor] += paid_s
        return dict(seconds)

    def paid(self, from_s: float, until_s: float) -> tuple[Paid, ...]:
        """Every replica's time within ``[from_s, until_s]``, by flavor."""
        cut = ((line.flavor, max(line.from_s, from_s), min(line.until_s, until_s)) for line in self._lines)
        return tuple(Paid(*line) for line in cut if line[1] < line[2])

    def changes(self, from_s: float, until_s: float) -> int:
        """Decisions that changed something within ``[from_s, until_s]``."""
        return sum(from_s <= at_s <= until_s for at_s in self._changed_at_s)

    def cold_starts(self, from_s: float, until_s: float) -> int:
        """Replicas set up from nothing within ``[from_s, until_s]``."""
        return sum(from_s <= at_s <= until_s for at_s in self._set_up_at_s)
