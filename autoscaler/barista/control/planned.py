"""Planned: what a plan asks a service to hold now, until the next cycle looks again.

That is the plan's first step. Starts and growth that fall due before the next cycle are brought forward, for
then they would be late by as much. Which of the changes happen in place follows from the counts (see
`changes`): within a family, the plan has already put a stop beside each start that replaces it (see
`plan.vertical`).
"""

import math
from collections import Counter
from collections.abc import Mapping

from barista.control.rules import Rules
from barista.plan.pose import anchored_demand
from barista.plan.quantile import purchase
from barista.rails.rail import Scene, only_raising
from barista.values.forecast import Forecast
from barista.values.problem import FlavorPlan
from barista.values.replica import Counts, Phase, count_by_flavor
from barista.values.situation import ServiceView


def planned_counts(
    view: ServiceView,
    plan: Mapping[str, FlavorPlan],
    forecast: Forecast,
    scene: Scene,
    rules: Rules,
) -> dict[str, int]:
    """Replicas by flavor that the plan asks for.

    Replicas on flavors that the service can no longer use are in no plan: they leave once the others
    serve the demand.
    """
    held = count_by_flavor(view.replicas or ())
    counts = _held_at(held, plan, 0)
    until = max(1, math.ceil(rules.cycle_s / rules.horizon.step_s - 1e-9))
    for step in range(1, min(until, rules.horizon.steps)):
        counts = only_raising(view, counts, _held_at(held, plan, step), scene)
    if _serve_alone(view, plan, forecast, scene, rules):
        counts = {name: n for name, n in counts.items() if name in scene.usable(view)}
    return {name: n for name, n in counts.items() if n > 0}


def _held_at(held: Counts, plan: Mapping[str, FlavorPlan], step: int) -> dict[str, int]:
    counts = Counter(held)
    for flavor, of in plan.items():
        counts[flavor] += sum(of.start[: step + 1]) - sum(of.stop[: step + 1])
    return dict(+counts)


def _serve_alone(
    view: ServiceView, plan: Mapping[str, FlavorPlan], forecast: Forecast, scene: Scene, rules: Rules
) -> bool:
    """Whether what serves after the plan's first step on flavors in use covers demand and minimum."""
    serving = Counter(count_by_flavor(r for r in view.replicas or () if r.phase is Phase.READY))
    for flavor, of in plan.items():
        serving[flavor] += sum(of.resized[:1]) - sum(of.stop[:1])
    usable = {name: serving[name] for name in scene.usable(view)}
    level = purchase(view, forecast, scene.situation.catalogue, rules.capacity).level
    (demand_rps, *_) = anchored_demand(forecast, level, scene.now_s, rules.horizon)
    enough = scene.capacity_rps(view, usable) >= demand_rps
    return enough and sum(usable.values()) >= view.service.min_replicas
