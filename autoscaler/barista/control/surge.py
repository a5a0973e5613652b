"""Surge: between cycles, raise at once when what is in flight cannot make its SLO. Pure.

It may only raise: resources in place first, then replicas. What it raised stays as a boost in
memory that the next cycles honour until it expires. Without figures of the last few seconds it
is off, and says so.
"""

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
    """Decisions for the services under strain only, with their boosts remembered."""
    scene = Scene(situation, now_s, rules.capacity, rules.rails)
    memory = dict(situation.memory.services)
    raised = []
    for view in situation.services:
        strain = _strain(view, now_s, scene, rules)
        if strain is None:
            continue
        held = count_by_flavor(view.replicas or ())
        counts = _raised(view, held, strain, scene)
        if counts == held:
            continue
        raised.append(Proposal(view, counts, (Reason("surge", strain.text),)))
        boost = Boost(counts, now_s + rules.surge_hold_s, strain.text)
        memory[view.service.id] = replace(situation.memory.of(view.service.id), boost=boost)
    # Pools are shared: services without strain take part as they are.
    strained = {proposal.id for proposal in raised}
    others = [
        Proposal(view, count_by_flavor(view.replicas or ()))
        for view in situation.services
        if view.service.id not in strained
    ]
    decisions = decisions_from((*raised, *others), scene)
    kept = tuple(
        decision
        for decision in decisions
        if decision.service in strained and _raises(decision.final, situation.view(decision.service), scene)
    )
    return Outcome(kept, Memory(memory, situation.memory.cycles))


def _strain(view: ServiceView, now_s: float, scene: Scene, rules: Rules) -> _Strain | None:
    """What is needed when in flight exceeds what the held replicas can answer within the SLO."""
    observation, slo = view.observation, view.service.slo
    if view.replicas is None or not _current(observation.in_flight, now_s, rules.surge_fresh_s):
        return None
    in_flight = observation.in_flight.value or 0.0
    held_rps = scene.capacity_rps(view, count_by_flavor(view.replicas))
    within_slo = held_rps * slo.latency_s
    if in_flight > within_slo:
        return _Strain(
            in_flight / slo.latency_s, f"{in_flight:g} in flight, {within_slo:.3g} can make the SLO"
        )
    latency = observation.latency_s
    late = _current(latency, now_s, rules.surge_fresh_s) and (latency.value or 0.0) > slo.latency_s
    demand = observation.demand_rps
    if late and demand.is_fresh and (demand.value or 0.0) > held_rps:
        return _Strain(demand.value or 0.0, f"latency {latency.value:.3g} s over {slo}, demand over capacity")
    return None


def _current(reading: Reading, now_s: float, fresh_s: float) -> bool:
    return reading.is_fresh and reading.at_s is not None and now_s - reading.at_s <= fresh_s


def _raised(view: ServiceView, held: dict[str, int], strain: _Strain, scene: Scene) -> dict[str, int]:
    """The counts raised in place to the most able flavor of each family, then by replicas."""
    catalogue = scene.situation.catalogue
    counts: dict[str, int] = {}
    for name, n in held.items():
        family = [other for other in view.service.flavors if catalogue.same_family(name, other)]
        best = max(family or [name], key=lambda flavor: (scene.rps(view, flavor), flavor))
        counts[best] = counts.get(best, 0) + n
    return raised_to(Proposal(view, counts), scene, strain.needed_rps)


def _raises(final: Counts, view: ServiceView, scene: Scene) -> bool:
    held = count_by_flavor(view.replicas or ())
    return scene.capacity_rps(view, final) > scene.capacity_rps(view, held)
