"""Whether a measurement can be trusted, judged by itself: a quiet machine repeats itself.

Times are cut into windows in the order in which they were taken. Where their medians differ by more than
chance explains, something else used the machine; what it was, the machine's own counters hint at.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WINDOWS = 4
TOLERATED = 0.10
"""Difference between the windows' medians that is never called noise."""
STOLEN = 0.05
"""Share of the cpu that the host may give to others."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine said during a measurement: cpu stolen by its host (a share), load average, cores."""

    stolen: float = 0.0
    load: float = 0.0
    cores: int = 1


class Watch:
    """Looks at the machine's counters from its making until `seen`."""

    def __init__(self) -> None:
        self._before = _cpu_times()

    def seen(self) -> Machine:
        """What the machine said since."""
        total, stolen = (after - before for after, before in zip(_cpu_times(), self._before, strict=True))
        return Machine(stolen / total if total > 0 else 0.0, os.getloadavg()[0], os.cpu_count() or 1)


def noise_in(times_s: Sequence[float], machine: Machine) -> str | None:
    """What speaks against trusting `times_s`, taken in this order, with the mend; None when nothing does."""
    seen = [text for text in (_drift(times_s), _stolen(machine)) if text]
    if not seen:
        return None
    if machine.load > machine.cores:
        seen.append(f"the load average was {machine.load:.1f} on {machine.cores} cores")
    return "; ".join(seen) + ": end what else runs here, or measure on a quieter machine"


def _drift(times_s: Sequence[float]) -> str | None:
    if len(times_s) < WINDOWS * 4:
        return None
    windows = np.array_split(np.log(np.maximum(times_s, 1e-9)), WINDOWS)
    medians = [float(np.median(window)) for window in windows]
    spread = max(medians) - min(medians)
    within = math.sqrt(float(np.mean([window.var(ddof=1) for window in windows])))
    # A median of n varies by 1.25 times what a mean does, and four of the same kind lie within 4.4 times
    # that of each other 99 times in 100 (the studentised range).
    chance = 4.4 * 1.25 * within / math.sqrt(len(windows[-1]))
    if spread <= math.log1p(TOLERATED) + chance:
        return None
    low, high = math.exp(min(medians)) * 1000, math.exp(max(medians)) * 1000
    return f"the medians of {WINDOWS} windows differ by {high / low - 1:.0%} ({low:.1f} to {high:.1f} ms)"


def _stolen(machine: Machine) -> str | None:
    return f"the host took {machine.stolen:.0%} of the cpu" if machine.stolen > STOLEN else None


def _cpu_times() -> tuple[float, float]:
    """(all, stolen) cpu time since boot, in ticks; nothing where the kernel does not tell."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0, 0.0
    ticks = [float(word) for word in stat.read_text().splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[7] if len(ticks) > 7 else 0.0
