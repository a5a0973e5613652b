"""The guard rails that look at one service at a time."""

from dataclasses import replace

from barista.rails.rail import Proposal, Scene, cheapest_flavor, only_raising, raised_to
from barista.values.decision import Reason
from barista.values.replica import Counts
from barista.values.service import Authority


def hold_when_blind(proposal: Proposal, scene: Scene) -> Proposal:
    """Without fresh demand, or before enough was seen after a start or a gap, nothing is lowered.

    Missing metrics are never zero demand; a restart never scales down. Raising goes on.
    """
    why = _blindness(proposal, scene)
    if why is None:
        return proposal
    counts = only_raising(proposal.view, proposal.current, proposal.counts, scene)
    reason = Reason("hold when blind", f"{why}: nothing is lowered", binds=counts != proposal.counts)
    return replace(proposal, counts=counts, reasons=(*proposal.reasons, reason), frozen=True)


def safety_margin(proposal: Proposal, scene: Scene) -> Proposal:
    """`safety_margin` times the demand bought until a replica ordered now would serve."""
    margin, view = scene.settings.safety_margin, proposal.view
    forecast, flavor = scene.forecasts.get(proposal.id), cheapest_flavor(view, scene)
    if margin <= 1 or forecast is None or flavor is None:
        return proposal
    level = min(view.service.highest_level, forecast.levels[-1])
    end_s = scene.now_s + view.profiles[flavor].planned_setup_s
    bought_rps = forecast.peak(level, scene.now_s, end_s)
    counts = raised_to(view, proposal.counts, margin * bought_rps, scene)
    return proposal.bounded_to(
        counts, "safety margin", f"{margin:g} times {bought_rps:.3g} requests/s", scene
    )


def reactive_minimum(proposal: Proposal, scene: Scene) -> Proposal:
    """Enough replicas for what is in flight now: ⌈in flight ÷ concurrency within the SLO⌉.

    By Little's law a replica that serves a requests/s has at most a·SLO requests in flight that
    still meet the SLO. Replicas that are starting count: they have been ordered for this already.
    """
    reading = proposal.view.observation.in_flight
    if not reading.is_fresh or reading.value is None:
        return proposal
    needed_rps = reading.value / proposal.view.service.slo.latency_s
    counts = raised_to(proposal.view, proposal.counts, needed_rps, scene)
    return proposal.bounded_to(counts, "reactive minimum", f"{reading.value:g} requests in flight", scene)


def surge_boost(proposal: Proposal, scene: Scene) -> Proposal:
    """At least the capacity that surge asked for, until its boost expires; and whether surge can look."""
    memory, view = scene.situation.memory.of(proposal.id), proposal.view
    if memory.surge_off is not None:
        said = Reason("surge boost", f"surge is off: {memory.surge_off}")
        proposal = replace(proposal, reasons=(*proposal.reasons, said))
    boost = memory.boost
    if boost is None or boost.until_s <= scene.now_s:
        return proposal
    boosted_rps = scene.capacity_rps(view, boost.counts)
    if scene.capacity_rps(view, proposal.counts) >= boosted_rps:
        return proposal
    held = proposal.current
    reached = scene.capacity_rps(view, held) >= boosted_rps
    counts = held if reached else only_raising(view, held, boost.counts, scene)
    return proposal.bounded_to(counts, "surge boost", boost.text, scene)


def service_bounds(proposal: Proposal, scene: Scene) -> Proposal:
    """No fewer replicas than min_replicas, no more than max_replicas."""
    service, counts = proposal.view.service, proposal.counts
    total = scene.total(proposal.view, counts)
    if total < service.min_replicas:
        present = [name for name in scene.usable(proposal.view) if name in counts]
        flavor = present[0] if present else cheapest_flavor(proposal.view, scene) or service.flavors[0]
        more = {**counts, flavor: counts.get(flavor, 0) + service.min_replicas - total}
        return proposal.bounded_to(more, "service bounds", f"min_replicas {service.min_replicas}", scene)
    if total > service.max_replicas:
        fewer = _without(proposal, scene, total - service.max_replicas)
        return proposal.bounded_to(fewer, "service bounds", f"max_replicas {service.max_replicas}", scene)
    return proposal


def rate_limits(proposal: Proposal, scene: Scene) -> Proposal:
    """At most max_step_up more and max_step_down fewer replicas in one cycle."""
    settings, held = scene.settings, proposal.current
    step = sum(proposal.counts.values()) - sum(held.values())
    if step > settings.max_step_up:
        counts = _without(proposal, scene, step - settings.max_step_up)
        text = f"at most {settings.max_step_up} more at once"
        return proposal.bounded_to(counts, "rate limits", text, scene)
    if -step > settings.max_step_down:
        counts = _with_back(proposal, scene, -step - settings.max_step_down)
        text = f"at most {settings.max_step_down} fewer at once"
        return proposal.bounded_to(counts, "rate limits", text, scene)
    return proposal


def hysteresis(proposal: Proposal, scene: Scene) -> Proposal:
    """A lowering that saves less than a share `hysteresis` of the cost is left alone."""
    held, wanted, share = proposal.current, proposal.counts, scene.settings.hysteresis
    if not _lowers(proposal, scene) or not _within_bounds(proposal, held, scene):
        return proposal
    before = scene.situation.catalogue.cost_per_hour(held)
    if before - scene.situation.catalogue.cost_per_hour(wanted) >= share * before - 1e-9:
        return proposal
    return proposal.bounded_to(held, "hysteresis", f"saves under {share:.0%}", scene)


def stabilisation(proposal: Proposal, scene: Scene) -> Proposal:
    """Lower only to the most that was wanted over the last `stabilisation_s` (as the HPA does)."""
    if not _lowers(proposal, scene):
        return proposal
    view, held, window_s = proposal.view, proposal.current, scene.settings.stabilisation_s
    wishes = scene.situation.memory.of(proposal.id).wishes
    recent = [wish for wish in wishes if wish.at_s > scene.now_s - window_s]
    best = max(recent, key=lambda wish: wish.capacity_rps, default=None)
    if best is None or best.capacity_rps <= scene.capacity_rps(view, proposal.counts):
        return proposal
    # Where the way to that wish would start replicas, what is held stays instead.
    only_lowers = only_raising(view, held, best.counts, scene) == held
    counts = best.counts if only_lowers and _within_bounds(proposal, best.counts, scene) else held
    if not _within_bounds(proposal, counts, scene):
        return proposal
    return proposal.bounded_to(counts, "stabilisation", f"most wanted in the last {window_s:g} s", scene)


def authority(proposal: Proposal, _scene: Scene) -> Proposal:
    """Under `advise` nothing changes: what would be done is only said."""
    if proposal.view.service.authority is not Authority.ADVISE:
        return proposal
    held = proposal.current
    said = Reason("authority", "advise: only said, not done", binds=proposal.counts != held)
    return replace(proposal, counts=held, reasons=(*proposal.reasons, said))


def _blindness(proposal: Proposal, scene: Scene) -> str | None:
    reading = proposal.view.observation.demand_rps
    if not reading.is_fresh:
        return f"demand is {reading.freshness}"
    seen_at_s = scene.situation.memory.of(proposal.id).seen_at_s
    if seen_at_s is None or scene.now_s - seen_at_s < scene.settings.stabilisation_s:
        return f"demand not yet seen for {scene.settings.stabilisation_s:g} s since a start or a gap"
    return None


def _lowers(proposal: Proposal, scene: Scene) -> bool:
    capacity_rps = scene.capacity_rps(proposal.view, proposal.counts)
    return capacity_rps < scene.capacity_rps(proposal.view, proposal.current)


def _within_bounds(proposal: Proposal, counts: Counts, scene: Scene) -> bool:
    service = proposal.view.service
    return service.min_replicas <= scene.total(proposal.view, counts) <= service.max_replicas


def _without(proposal: Proposal, scene: Scene, count: int) -> Counts:
    """The counts less `count` of the usable replicas: those to be started first, the least able first."""
    counts, there = dict(proposal.counts), proposal.current
    for before, after, n in scene.situation.catalogue.moves_in_place(there, counts):
        there[before] -= n
        there[after] = there.get(after, 0) + n
    order = sorted(scene.usable(proposal.view), key=lambda name: (scene.rps(proposal.view, name), name))
    for only_starts in (True, False):
        for name in order:
            floor = there.get(name, 0) if only_starts else 0
            taken = min(count, max(0, counts.get(name, 0) - floor))
            if taken > 0:
                counts[name] -= taken
                count -= taken
    return counts


def _with_back(proposal: Proposal, scene: Scene, count: int) -> Counts:
    """The counts with `count` of the replicas that would be stopped, the most able first."""
    counts, held = dict(proposal.counts), proposal.current
    for name in sorted(held, key=lambda name: (-scene.rps(proposal.view, name), name)):
        kept = min(count, max(0, held[name] - counts.get(name, 0)))
        counts[name] = counts.get(name, 0) + kept
        count -= kept
    return counts
