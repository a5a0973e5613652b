"""The oracle: the floor of cost and violations, as far as planning can reach.

It is Barista's planner told what comes, without what only a controller needs that may be wrong: no surge, no
hysteresis, no stabilisation. Each step's number of requests is known to it, not when within the step each
comes. It plans every minute, however long the trace's steps are, so that a replica is ordered a set-up before
it serves and is gone when it is not needed: sooner and later than any controller that must wait to see.

Its knob is the percentile of latency that it buys: how many requests it lets be late, in every step alike.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from barista.cli.tape import Said, Tape
from barista.plan.pose import Horizon
from barista.values.series import Demand
from barista.values.service import ServiceId

NAME = "oracle"
SHORTEST_STEP_S = 60.0
LEVELS = (0.05, 0.5, 0.99)


def control(cycle_s: float) -> dict[str, Any]:
    """Its settings of control, where others have a cycle every `cycle_s` seconds."""
    own_s = SHORTEST_STEP_S if cycle_s % SHORTEST_STEP_S == 0 else cycle_s
    return {
        "cycle_s": own_s,
        "step_min_s": own_s,
        "step_max_s": own_s,
        "surge": False,
        "hysteresis": 0.0,
        "stabilisation_s": 0.0,
    }


def tape(demand: Mapping[ServiceId, Demand], horizon: Horizon) -> Tape:
    """What it says: over the steps of `horizon`, every quantile is what comes."""
    return Tape({service: _said(series, horizon) for service, series in demand.items()})


def _said(demand: Demand, horizon: Horizon) -> Said:
    steps = horizon.steps + 2
    edges_s = np.append(demand.times_s(), demand.end_s)
    counts = np.append(0.0, np.cumsum(np.nan_to_num(demand.values) * demand.step_s))
    heard_s = np.arange(demand.start_s, demand.end_s - 1e-6, horizon.step_s)
    ends_s = heard_s[0] + np.arange(len(heard_s) + steps) * horizon.step_s
    known = np.diff(np.interp(ends_s, edges_s, counts)) / horizon.step_s
    ahead = np.lib.stride_tricks.sliding_window_view(known, steps)[: len(heard_s)]
    return Said(
        heard_s=heard_s,
        origin_s=heard_s,
        step_s=horizon.step_s,
        levels=LEVELS,
        mean=ahead,
        quantiles=np.repeat(ahead[:, None], len(LEVELS), axis=1),
        made_by=("perfect foresight",) * len(heard_s),
    )
