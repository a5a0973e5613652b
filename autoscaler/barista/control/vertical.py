"""Vertical first: where the plan replaces one flavor by another of its family, resize in place.

The plan sees flavors apart: to grow it starts the larger one and stops the smaller once that
serves. Within a family the same replica can change in place, at once and without a set-up.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from barista.plan.pose import Horizon, anchored_demand
from barista.rails.rail import Scene
from barista.values.forecast import Forecast
from barista.values.problem import FlavorPlan
from barista.values.replica import Counts, Phase, count_by_flavor
from barista.values.situation import ServiceView


@dataclass(frozen=True, slots=True)
class _Replacement:
    """`count` replicas start as `new` now; as many of `old` stop within `steps`, the set-up of `new`."""

    new: str
    old: str
    count: int
    steps: int


def planned_counts(
    view: ServiceView,
    held: Counts,
    plan: Mapping[str, FlavorPlan],
    forecast: Forecast,
    scene: Scene,
    horizon: Horizon,
) -> tuple[dict[str, int], str]:
    """Replicas by flavor that the plan's first step asks for, replacements made in place; and why.

    A replica grows in place at once. It shrinks at once only if what then serves covers the demand
    until the plan would have stopped the larger one; otherwise the change waits. Replicas on
    flavors that the service can no longer use are in no plan: they leave once the others serve.
    """
    demand_rps = anchored_demand(forecast, view.service.demand_quantile, scene.now_s, horizon)
    stopped = Counter({name: _stopped(plan, name, range(1)) for name in plan})
    counts = Counter(held) - stopped
    counts.update({name: _started(plan, name) for name in plan})
    serving = _ready(view) - stopped
    text = "planned"
    for change in _replacements(view, plan, scene, horizon):
        resized = Counter({change.new: min(change.count, serving[change.old])})
        after = serving + resized - Counter({change.old: change.count})
        shrinks = scene.rps(view, change.new) < scene.rps(view, change.old)
        if shrinks and scene.capacity_rps(view, after) < max(demand_rps[: max(1, change.steps)]):
            counts[change.new] -= change.count
            text = "planned, shrinking in place later"
        else:
            counts[change.old] -= change.count
            serving, text = after, "planned, in place"
    usable = {name: serving[name] for name in scene.usable(view)}
    if (
        scene.capacity_rps(view, usable) >= demand_rps[0]
        and sum(usable.values()) >= view.service.min_replicas
    ):
        counts = Counter({name: n for name, n in counts.items() if name in usable})
    return dict(+counts), text


def _replacements(
    view: ServiceView, plan: Mapping[str, FlavorPlan], scene: Scene, horizon: Horizon
) -> list[_Replacement]:
    """Starts now whose family loses replicas once they serve; those that grow come first."""
    catalogue = scene.situation.catalogue
    leaving: Counter[str] = Counter()
    found = []
    for new in sorted(plan):
        started = _started(plan, new)
        if started == 0 or new not in view.profiles:
            continue
        steps = math.ceil(view.profiles[new].planned_setup_s / horizon.step_s - 1e-9)
        for old in sorted(plan):
            if old == new or not catalogue.same_family(old, new):
                continue
            count = min(started, _stopped(plan, old, range(1, steps + 1)) - leaving[old])
            if count > 0:
                leaving[old] += count
                started -= count
                found.append(_Replacement(new, old, count, steps))
    return sorted(found, key=lambda change: scene.rps(view, change.new) < scene.rps(view, change.old))


def _ready(view: ServiceView) -> Counter[str]:
    return Counter(count_by_flavor(r for r in view.replicas or () if r.phase is Phase.READY))


def _started(plan: Mapping[str, FlavorPlan], flavor: str) -> int:
    return sum(plan[flavor].start[:1])


def _stopped(plan: Mapping[str, FlavorPlan], flavor: str, steps: range) -> int:
    return sum(plan[flavor].stop[steps.start : steps.stop])
