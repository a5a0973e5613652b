"""History: what was seen of a service's demand, on one grid, as it grows.

Sources anchor their steps where they were asked, now here and now there. Forecasters need one
regular series that only ever grows at its end, so everything is put on the grid of whole multiples
of the step (since the epoch) first. What nobody saw is NaN.
"""

import numpy as np

from barista.values.series import Demand, FloatArray

ALIGNED = 1e-6
"""Share of a step by which times may be off and still count as equal (rounding of floats)."""
SEEN_SHARE = 0.5
"""A step of the grid counts as seen when at least this share of it was."""


def on_grid(demand: Demand, step_s: float) -> Demand:
    """`demand` on the steps ``[k*step_s, (k+1)*step_s)`` that it covers whole.

    Values are means weighted by time; a demand that lies on the grid already keeps its values as they are.
    """
    first, last = _ceil(demand.start_s / step_s), _floor(demand.end_s / step_s)
    if last <= first:
        return Demand(first * step_s, step_s, np.empty(0))
    off = abs(demand.start_s - first * step_s) / step_s
    if demand.step_s == step_s and off < ALIGNED:
        return Demand(first * step_s, step_s, demand.values)
    return Demand(first * step_s, step_s, _means(demand, np.arange(first, last + 1) * step_s))


def joined(earlier: Demand, later: Demand) -> Demand:
    """`earlier`, followed by the steps of `later` beyond its end; NaN for steps that neither has.

    Both lie on one grid of the same step.
    """
    gap = round((later.start_s - earlier.end_s) / earlier.step_s)
    missing, beyond = np.full(max(gap, 0), np.nan), later.values[max(-gap, 0) :]
    if not len(beyond):
        return earlier
    return Demand(earlier.start_s, earlier.step_s, np.concatenate([earlier.values, missing, beyond]))


def after(demand: Demand, start_s: float) -> Demand:
    """The steps of `demand` from `start_s` on, with NaN for those before its start."""
    ahead = round((start_s - demand.start_s) / demand.step_s)
    values = np.concatenate([np.full(max(-ahead, 0), np.nan), demand.values[max(ahead, 0) :]])
    return Demand(start_s, demand.step_s, values)


def unseen_until(demand: Demand, now_s: float) -> Demand:
    """`demand`, with NaN for the steps that are over at `now_s` and were not seen."""
    late = _floor((now_s - demand.end_s) / demand.step_s)
    return joined(demand, Demand(demand.end_s, demand.step_s, np.full(max(late, 0), np.nan)))


def _means(demand: Demand, edges_s: FloatArray) -> FloatArray:
    seen = np.isfinite(demand.values)
    at_s = demand.start_s + np.arange(len(demand) + 1) * demand.step_s
    amount = np.concatenate([[0.0], np.cumsum(np.where(seen, demand.values, 0.0) * demand.step_s)])
    cover_s = np.concatenate([[0.0], np.cumsum(seen * demand.step_s)])
    amounts, covers_s = (np.diff(np.interp(edges_s, at_s, total)) for total in (amount, cover_s))
    enough = covers_s >= SEEN_SHARE * np.diff(edges_s)
    return np.where(enough, amounts / np.where(enough, covers_s, 1.0), np.nan)


def _ceil(steps: float) -> int:
    return int(np.ceil(steps - ALIGNED))


def _floor(steps: float) -> int:
    return int(np.floor(steps + ALIGNED))
