"""Surge: between cycles, raise at once when what is in flight cannot make its SLO. Pure.

It may only raise: resources in place first, then replicas. What it raised stays as a boost in
memory that the next cycles honour until it expires. Without figures of the last few seconds it
is off, and says so in the reasons of the next decisions.
"""

import math
from dataclasses import dataclass, replace

from barista.control.decide import decisions_from
from barista.control.rules import Rules
from barista.rails.rail import Proposal, Scene, raised_to
from barista.values.decision import Boost, Memory, Outcome, Reason
from barista.values.observation import Reading
from barista.values.replica import Counts, count_by_flavor
from barista.values.situation import ServiceView, Situation


@dataclass(frozen=True, slots=True)
class _Strain:
    """How much capacity (requests/s) a service under strain needs, and what shows it."""

    needed_rps: float
    text: str


def surge(situation: Situation, now_s: float, rules: Rules) -> Outcome:
    """The decisions that raise something, with the boosts remembered.

    Every service takes part as it is, for pools are shared; none can end below that.
    """
    scene = Scene(situation, now_s, rules.capacity, rules.rails)
    services = dict(situation.memory.services)
    proposals = []
    for view in situation.services:
        memory = situation.memory.of(view.service.id)
        off = _off(view, now_s, rules.surge_fresh_s)
        strain = _strain(view, scene, now_s, rules) if off is None else None
        proposal = Proposal(view, count_by_flavor(view.replicas or ()), frozen=True)
        if strain is not None:
            counts = _raised(view, proposal.counts, strain.needed_rps, scene)
            proposal = replace(proposal, counts=counts, reasons=(Reason("surge", strain.text),))
            memory = replace(memory, boost=Boost(counts, now_s + rules.surge_hold_s, strain.text))
        proposals.append(proposal)
        services[view.service.id] = replace(memory, surge_off=off)
    if all(_is_quiet(proposal, scene) for proposal in proposals):
        return Outcome((), Memory(services, situation.memory.cycles))
    raising = tuple(
        decision
        for decision in decisions_from(tuple(proposals), scene)
        if decision.changes and services[decision.service].surge_off is None
    )
    return Outcome(raising, Memory(services, situation.memory.cycles))


def _is_quiet(proposal: Proposal, scene: Scene) -> bool:
    """Whether nothing asks for more than is there, so that no rail need be asked: the case nearly always."""
    view, held = proposal.view, proposal.current
    boost = scene.situation.memory.of(proposal.id).boost
    boosted = boost is not None and boost.until_s > scene.now_s
    return not proposal.reasons and not boosted and sum(held.values()) >= view.service.min_replicas


def _off(view: ServiceView, now_s: float, fresh_s: float) -> str | None:
    """Why surge cannot look at a service; None when it can."""
    if view.replicas is None:
        return "the platform does not say what is there"
    reading = view.observation.in_flight
    if reading.at_s is None:
        return "in flight is missing"
    if not _is_recent(reading, now_s, fresh_s):
        return f"in flight is {now_s - reading.at_s:.3g} s old"
    return None


def _strain(view: ServiceView, scene: Scene, now_s: float, rules: Rules) -> _Strain | None:
    """What is needed when what is there, and ordered, cannot answer within the SLO; None if it can."""
    observation, slo = view.observation, view.service.slo
    held_rps = scene.capacity_rps(view, count_by_flavor(view.replicas or ()))
    in_flight, within_slo = observation.in_flight.value or 0.0, held_rps * slo.latency_s
    if in_flight > within_slo + 1e-9:
        return _Strain(
            in_flight / slo.latency_s, f"{in_flight:g} in flight, {within_slo:.3g} can make the SLO"
        )
    latency_s, demand_rps = observation.latency_s.value or 0.0, observation.demand_rps.value or 0.0
    late = _is_recent(observation.latency_s, now_s, rules.surge_fresh_s) and latency_s > slo.latency_s
    if late and _is_recent(observation.demand_rps, now_s, rules.surge_fresh_s) and demand_rps > held_rps:
        return _Strain(demand_rps, f"latency {latency_s:.3g} s over {slo}, demand over capacity")
    return None


def _is_recent(reading: Reading, now_s: float, fresh_s: float) -> bool:
    return reading.is_fresh and reading.at_s is not None and now_s - reading.at_s <= fresh_s


def _raised(view: ServiceView, held: Counts, needed_rps: float, scene: Scene) -> Counts:
    """The counts raised in place to the most able flavor of their family, then by replicas, as needed."""
    counts = dict(held)
    for name, n in sorted(held.items()):
        missing_rps = needed_rps - scene.capacity_rps(view, counts)
        best = _most_able(view, name, scene)
        gain_rps = scene.rps(view, best) - scene.rps(view, name)
        if missing_rps > 1e-9 and gain_rps > 0:
            grown = min(n, math.ceil(missing_rps / gain_rps - 1e-9))
            counts[name] -= grown
            counts[best] = counts.get(best, 0) + grown
    return {name: n for name, n in raised_to(view, counts, needed_rps, scene).items() if n > 0}


def _most_able(view: ServiceView, flavor: str, scene: Scene) -> str:
    catalogue = scene.situation.catalogue
    family = [name for name in scene.usable(view) if catalogue.same_family(flavor, name)]
    return max(family, key=lambda name: (scene.rps(view, name), name), default=flavor)
