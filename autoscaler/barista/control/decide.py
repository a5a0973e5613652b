"""Decide: from situation, forecasts and plan to decisions, with reasons. Pure.

The plan says what each service should hold until the next cycle; the guard rails bound it; what remains
becomes a decision, and what must be remembered goes into the memory.
"""

from collections.abc import Mapping
from dataclasses import replace

from barista.control.changes import changes_between
from barista.control.planned import planned_counts
from barista.control.rules import Rules
from barista.rails.guard import guard
from barista.rails.rail import Proposal, Scene
from barista.values.decision import (
    Decision,
    Horizontal,
    Memory,
    Outcome,
    Reason,
    ServiceMemory,
    Wish,
)
from barista.values.forecast import Forecast
from barista.values.problem import Plan
from barista.values.replica import Counts, count_by_flavor
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation


def decide(
    situation: Situation,
    forecasts: Mapping[ServiceId, Forecast],
    plan: Plan,
    now_s: float,
    rules: Rules,
) -> Outcome:
    """One decision per service, with the memory to pass on. Reads no clock, network or chance."""
    scene = Scene(situation, now_s, rules.capacity, rules.rails, forecasts)
    raw = {view.service.id: _planned(view, forecasts, plan, scene, rules) for view in situation.services}
    decisions = decisions_from(tuple(raw.values()), scene)
    services = {
        view.service.id: _remembered(situation.memory.of(view.service.id), raw[view.service.id], scene)
        for view in situation.services
    }
    return Outcome(decisions, Memory(services, situation.memory.cycles + 1))


def decisions_from(proposals: tuple[Proposal, ...], scene: Scene) -> tuple[Decision, ...]:
    """The proposals through the guard rails, as decisions.

    Where the platform does not say what is there, nothing is known to change from: such a
    service stays as it is, whatever that may be.
    """
    known = tuple(proposal for proposal in proposals if proposal.view.replicas is not None)
    final, bounded = guard(known, scene)
    return (
        *(_decision(raw, end, bounded[end.id], scene) for raw, end in zip(known, final, strict=True)),
        *(_left_alone(proposal, scene) for proposal in proposals if proposal.view.replicas is None),
    )


def _left_alone(proposal: Proposal, scene: Scene) -> Decision:
    reason = Reason("hold when blind", "the platform does not say what is there", binds=True)
    nothing: Counts = {}
    return Decision(
        service=proposal.id,
        at_s=scene.now_s,
        authority=proposal.view.service.authority,
        current=nothing,
        raw=nothing,
        bounded=nothing,
        final=nothing,
        changes=(),
        ready_at_s=scene.now_s,
        reasons=(*proposal.reasons, reason),
        planned=proposal.planned,
    )


def _planned(
    view: ServiceView,
    forecasts: Mapping[ServiceId, Forecast],
    plan: Plan,
    scene: Scene,
    rules: Rules,
) -> Proposal:
    service = view.service.id
    held = count_by_flavor(view.replicas or ())
    forecast = forecasts.get(service)
    if forecast is None or not plan.is_usable or service not in plan.services:
        why = "no forecast" if forecast is None else f"no plan ({plan.status})"
        return Proposal(view, held, (Reason("plan", f"{why}: hold"),), planned=False)
    counts = planned_counts(view, plan.services[service], forecast, scene, rules)
    in_place = scene.situation.catalogue.moves_in_place(held, counts)
    text = f"planned{', in place' if in_place else ''} by {plan.planner} on {forecast.made_by}"
    return Proposal(view, counts, (Reason("plan", text),))


def _decision(raw: Proposal, final: Proposal, bounded: Counts, scene: Scene) -> Decision:
    view, current = final.view, final.current
    changes = changes_between(current, final.counts, scene.situation.catalogue)
    started = [
        change.flavor for change in changes if isinstance(change, Horizontal) and change.after > change.before
    ]
    setup_s = max((_setup_s(view, flavor) for flavor in started), default=0.0)
    return Decision(
        service=final.id,
        at_s=scene.now_s,
        authority=view.service.authority,
        current=current,
        raw=raw.counts,
        bounded=bounded,
        final=final.counts,
        changes=changes,
        ready_at_s=scene.now_s + setup_s,
        reasons=final.reasons,
        planned=raw.planned,
    )


def _setup_s(view: ServiceView, flavor: str) -> float:
    profile = view.profiles.get(flavor)
    return profile.planned_setup_s if profile is not None else 0.0


def _remembered(memory: ServiceMemory, raw: Proposal, scene: Scene) -> ServiceMemory:
    view, now_s = raw.view, scene.now_s
    boost = memory.boost if memory.boost is not None and memory.boost.until_s > now_s else None
    if view.replicas is None or not view.observation.demand_rps.is_fresh:
        return replace(memory, boost=boost, seen_at_s=None, wishes=())
    recent = (wish for wish in memory.wishes if wish.at_s > now_s - scene.settings.stabilisation_s)
    wish = Wish(now_s, raw.counts, scene.capacity_rps(view, raw.counts))
    seen_at_s = now_s if memory.seen_at_s is None else memory.seen_at_s
    return replace(memory, boost=boost, seen_at_s=seen_at_s, wishes=(*recent, wish))
