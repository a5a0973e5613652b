"""Vertical first: where the plan replaces one flavor by another of its family, resize in place.

The plan sees flavors apart: to grow it starts the larger one and stops the smaller once that
serves. Within a family the same replica can change in place, at once and without a set-up.
"""

import math
from collections.abc import Mapping

from barista.plan.pose import SETUP_LEVEL, Horizon, anchored_demand
from barista.rails.rail import Scene
from barista.values.forecast import Forecast
from barista.values.problem import FlavorPlan
from barista.values.replica import Counts
from barista.values.situation import ServiceView


def planned_counts(
    view: ServiceView,
    held: Counts,
    plan: Mapping[str, FlavorPlan],
    forecast: Forecast,
    scene: Scene,
    horizon: Horizon,
) -> tuple[dict[str, int], str]:
    """Replicas by flavor that the plan's first step asks for, replacements made in place; and why.

    A replica grows in place at once. It shrinks at once only if what remains serves the demand
    until the plan would have stopped the larger one; otherwise the change waits.
    """
    counts = {
        name: held.get(name, 0) + _at(plan, name, 0, "start") - _at(plan, name, 0, "stop")
        for name in sorted({*held, *plan})
    }
    text = "planned"
    for new, old, count, steps in _replacements(view, plan, scene, horizon):
        in_place = {**counts, old: counts[old] - count}
        if scene.rps(view, new) < scene.rps(view, old):
            demand = anchored_demand(forecast, view.service.demand_quantile, scene.now_s, horizon)
            if scene.capacity_rps(view, in_place) < max(demand[: max(1, steps)]):
                counts = {**counts, new: counts[new] - count}
                text = "planned, shrinking in place later"
                continue
        counts = in_place
        text = "planned, in place"
    return {name: n for name, n in counts.items() if n > 0}, text


def _replacements(
    view: ServiceView, plan: Mapping[str, FlavorPlan], scene: Scene, horizon: Horizon
) -> list[tuple[str, str, int, int]]:
    """(new flavor, old flavor, count, steps) of starts now whose family loses replicas once they serve."""
    catalogue = scene.situation.catalogue
    leaving: dict[str, int] = {}
    found = []
    for new in sorted(plan):
        started = _at(plan, new, 0, "start")
        if started == 0 or new not in view.profiles:
            continue
        steps = math.ceil(view.profiles[new].setup_time.quantile(SETUP_LEVEL) / horizon.step_s - 1e-9)
        for old in sorted(plan):
            if old == new or not catalogue.same_family(old, new):
                continue
            stops = sum(_at(plan, old, step, "stop") for step in range(1, steps + 1))
            count = min(started, stops - leaving.get(old, 0))
            if count > 0:
                leaving[old] = leaving.get(old, 0) + count
                started -= count
                found.append((new, old, count, steps))
    return found


def _at(plan: Mapping[str, FlavorPlan], flavor: str, step: int, verb: str) -> int:
    if flavor not in plan:
        return 0
    row = plan[flavor].start if verb == "start" else plan[flavor].stop
    return row[step] if step < len(row) else 0
