"""The guard rails that look at one service at a time."""

from dataclasses import replace

from barista.rails.rail import Proposal, Scene, cheapest_flavor, raised_to
from barista.values.decision import Reason, Wish
from barista.values.replica import Counts


def hold_when_blind(proposal: Proposal, scene: Scene) -> Proposal:
    """Without fresh demand, or before enough was seen after a start, nothing is lowered.

    Missing metrics are never zero demand; a restart never scales down.
    """
    why = _blindness(proposal, scene)
    if why is None:
        return proposal
    held = replace(proposal, frozen=True)
    keeps = scene.capacity_rps(held.view, held.counts) >= scene.capacity_rps(held.view, held.current)
    if keeps and held.counts != held.current and scene.forecasts.get(held.id) is not None:
        reason = Reason("hold when blind", f"{why}: may raise, not lower")
        return replace(held, reasons=(*held.reasons, reason))
    return held.bounded_to(held.current, "hold when blind", why)


def safety_margin(proposal: Proposal, scene: Scene) -> Proposal:
    """Buy `safety_margin` times the capacity that was asked for (1: the quantile is the margin)."""
    margin = scene.settings.safety_margin
    if margin <= 1:
        return proposal
    needed = margin * scene.capacity_rps(proposal.view, proposal.counts)
    return proposal.bounded_to(
        raised_to(proposal, scene, needed), "safety margin", f"{margin:g} times the capacity asked for"
    )


def reactive_minimum(proposal: Proposal, scene: Scene) -> Proposal:
    """Enough replicas for what is in flight now: ⌈in flight ÷ concurrency within the SLO⌉.

    By Little's law a replica that serves a requests/s has at most a·SLO requests in flight that
    still meet the SLO.
    """
    reading = proposal.view.observation.in_flight
    if not reading.is_fresh or reading.value is None:
        return proposal
    needed_rps = reading.value / proposal.view.service.slo.latency_s
    return proposal.bounded_to(
        raised_to(proposal, scene, needed_rps), "reactive minimum", f"{reading.value:g} requests in flight"
    )


def surge_boost(proposal: Proposal, scene: Scene) -> Proposal:
    """At least the capacity that surge asked for, until its boost expires."""
    boost = scene.situation.memory.of(proposal.id).boost
    if boost is None or boost.until_s <= scene.now_s:
        return proposal
    if scene.capacity_rps(proposal.view, proposal.counts) >= scene.capacity_rps(proposal.view, boost.counts):
        return proposal
    return proposal.bounded_to(boost.counts, "surge boost", boost.text)


def service_bounds(proposal: Proposal, scene: Scene) -> Proposal:
    """No fewer replicas than min_replicas, no more than max_replicas."""
    service = proposal.view.service
    total = sum(proposal.counts.values())
    if total < service.min_replicas:
        flavor = next(iter(proposal.counts), None) or cheapest_flavor(proposal.view, scene)
        flavor = flavor or service.flavors[0]
        counts = {**proposal.counts, flavor: proposal.counts.get(flavor, 0) + service.min_replicas - total}
        return proposal.bounded_to(counts, "service bounds", f"min_replicas {service.min_replicas}")
    if total > service.max_replicas and not (proposal.frozen and total <= sum(proposal.current.values())):
        counts = _without(proposal, scene, total - service.max_replicas)
        return proposal.bounded_to(counts, "service bounds", f"max_replicas {service.max_replicas}")
    return proposal


def rate_limits(proposal: Proposal, scene: Scene) -> Proposal:
    """At most max_step_up more and max_step_down fewer replicas in one cycle."""
    settings, held = scene.settings, sum(proposal.current.values())
    step = sum(proposal.counts.values()) - held
    if step > settings.max_step_up:
        counts = _without(proposal, scene, step - settings.max_step_up)
        return proposal.bounded_to(counts, "rate limits", f"at most {settings.max_step_up} more at once")
    if -step > settings.max_step_down:
        flavor = max(proposal.current, key=lambda name: scene.rps(proposal.view, name))
        back = -step - settings.max_step_down
        counts = {**proposal.counts, flavor: proposal.counts.get(flavor, 0) + back}
        return proposal.bounded_to(counts, "rate limits", f"at most {settings.max_step_down} fewer at once")
    return proposal


def hysteresis(proposal: Proposal, scene: Scene) -> Proposal:
    """A change of flavors that gains less than a share `hysteresis` of the cost is left alone."""
    held, wanted = proposal.current, proposal.counts
    catalogue = scene.situation.catalogue
    before = sum(n * catalogue.flavor(name).cost_per_hour for name, n in held.items())
    after = sum(n * catalogue.flavor(name).cost_per_hour for name, n in wanted.items())
    lowers = scene.capacity_rps(proposal.view, wanted) < scene.capacity_rps(proposal.view, held)
    if not lowers or before - after >= scene.settings.hysteresis * before:
        return proposal
    return proposal.bounded_to(held, "hysteresis", f"saves under {scene.settings.hysteresis:.0%}")


def stabilisation(proposal: Proposal, scene: Scene) -> Proposal:
    """Lower only to the most that was wanted over the last `stabilisation_s` (as the HPA does)."""
    held_rps = scene.capacity_rps(proposal.view, proposal.current)
    wanted_rps = scene.capacity_rps(proposal.view, proposal.counts)
    if wanted_rps >= held_rps:
        return proposal
    since = scene.now_s - scene.settings.stabilisation_s
    wishes = scene.situation.memory.of(proposal.id).wishes
    recent = [wish for wish in wishes if wish.at_s > since]
    best = max(recent, key=_wished_rps, default=None)
    if best is None or best.capacity_rps <= wanted_rps:
        return proposal
    window = f"most wanted in the last {scene.settings.stabilisation_s:g} s"
    counts = proposal.current if best.capacity_rps >= held_rps else best.counts
    return proposal.bounded_to(counts, "stabilisation", window)


def _wished_rps(wish: Wish) -> float:
    return wish.capacity_rps


def _blindness(proposal: Proposal, scene: Scene) -> str | None:
    view = proposal.view
    if not view.observation.demand_rps.is_fresh:
        return f"demand is {view.observation.demand_rps.freshness}"
    seen_at_s = scene.situation.memory.of(proposal.id).seen_at_s
    if seen_at_s is None or scene.now_s - seen_at_s < scene.settings.stabilisation_s:
        return "demand not yet seen for long enough since the start"
    return None


def _without(proposal: Proposal, scene: Scene, count: int) -> Counts:
    """The counts less `count` replicas: those that are not running first, then the least able."""
    counts, held = dict(proposal.counts), proposal.current
    order = sorted(
        counts,
        key=lambda name: (counts[name] <= held.get(name, 0), scene.rps(proposal.view, name), name),
    )
    for only_new in (True, False):
        for name in order:
            floor = held.get(name, 0) if only_new else 0
            taken = min(count, max(0, counts[name] - floor))
            counts[name] -= taken
            count -= taken
    return counts
