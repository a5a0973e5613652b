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
    serve the demand. Before that, those that the demand does not need make room for the others, where the
    service's maximum has none.
    """
    held = count_by_flavor(view.replicas or ())
    counts = _held_at(held, plan, 0)
    until = max(1, math.ceil(rules.cycle_s / rules.horizon.step_s - 1e-9))
    for step in range(1, min(until, rules.horizon.steps)):
        counts = only_raising(view, counts, _held_at(held, plan, step), scene)
    level = purchase(view, forecast, scene.situation.catalogue, rules.capacity).level
    (demand_rps, *_) = anchored_demand(forecast, level, scene.now_s, rules.horizon)
    serving = _serving(view, plan)
    usable = {name: serving[name] for name in scene.usable(view)}
    if _serve(view, usable, demand_rps, scene):
        counts = {name: n for name, n in counts.items() if name in usable}
    elif sum(counts.values()) > view.service.max_replicas:
        counts = _making_room(view, counts, serving, demand_rps, scene)
    return {name: n for name, n in counts.items() if n > 0}


def _held_at(held: Counts, plan: Mapping[str, FlavorPlan], step: int) -> dict[str, int]:
    counts = Counter(held)
    for flavor, of in plan.items():
        counts[flavor] += sum(of.start[: step + 1]) - sum(of.stop[: step + 1])
    return dict(+counts)


def _serving(view: ServiceView, plan: Mapping[str, FlavorPlan]) -> Counter[str]:
    """Replicas that serve after the plan's first step."""
    serving = Counter(count_by_flavor(r for r in view.replicas or () if r.phase is Phase.READY))
    for flavor, of in plan.items():
        serving[flavor] += sum(of.resized[:1]) - sum(of.stop[:1])
    return serving


def _serve(view: ServiceView, serving: Counts, demand_rps: float, scene: Scene) -> bool:
    """Whether `serving` cover the demand and the service's minimum."""
    enough = scene.capacity_rps(view, serving) >= demand_rps
    return enough and sum(serving.values()) >= view.service.min_replicas


def _making_room(
    view: ServiceView, counts: Counts, serving: Counts, demand_rps: float, scene: Scene
) -> dict[str, int]:
    """`counts` less what is over the maximum and on flavors out of use, as far as the rest serves."""
    left, rest = dict(counts), Counter(serving)
    over = sum(counts.values()) - view.service.max_replicas
    out_of_use = sorted(set(left) - set(scene.usable(view)))
    each = [name for name in out_of_use for _ in range(min(rest[name], left[name]))]
    for name in each[:over]:
        if not _serve(view, rest - Counter({name: 1}), demand_rps, scene):
            break
        rest[name] -= 1
        left[name] -= 1
    return left
