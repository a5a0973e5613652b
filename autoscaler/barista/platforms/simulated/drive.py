"""The virtual clock: it jumps from one thing due to the next, and whole weeks pass in seconds."""

from collections.abc import Callable

from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.run import SimulatedRun


def drive(
    tick: Callable[[float], float],
    cluster: SimulatedCluster,
    start_s: float,
    end_s: float,
    progress: Callable[[float], None] | None = None,
) -> SimulatedRun:
    """What comes of `cluster` from `start_s` to `end_s` when `tick` controls it.

    `tick(now_s)` does what is due and says when it wants to be called again (a controller's `tick`);
    ValueError when that is not later. `progress` hears every moment reached.
    """
    now_s = start_s
    while now_s < end_s:
        cluster.advance(now_s)
        due_s = tick(now_s)
        if due_s <= now_s:
            raise ValueError(f"tick at {now_s} s: wants to be called again at {due_s} s, which is not later")
        now_s = min(due_s, end_s)
        if progress is not None:
            progress(now_s)
    cluster.advance(end_s)
    return cluster.outcome(start_s, end_s)
