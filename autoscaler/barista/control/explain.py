"""Explain: why a service holds what it holds, from the stored inputs of a past cycle.

The stored inputs are decided on again by the same `decide`; what it says is the explanation.
"""

from dataclasses import dataclass
from pathlib import Path

from barista.control.cycle import Pass
from barista.control.decide import decide
from barista.control.log import QUALITIES, LogFiles, decode_pass
from barista.control.rules import Rules
from barista.forecast.quality import Quality
from barista.plan.pose import anchored_demand
from barista.plan.quantile import purchase
from barista.rails.rail import Scene
from barista.values.decision import Decision
from barista.values.forecast import Forecast
from barista.values.service import ServiceId
from barista.values.situation import ServiceView


class NothingToExplain(Exception):
    """The log holds no cycle, or none with the service; the message says what is there."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What it would take to cover the demand with one flavor alone."""

    flavor: str
    rps_per_replica: float
    replicas: int | None
    cost_per_hour: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One service at one cycle: demand, forecast, candidates, and the decision with its reasons.

    `demand_bought_rps` is the largest of the quantiles at `level_bought` over the horizon; `repeats` tells
    whether deciding again on the stored inputs gave the stored decision.
    """

    view: ServiceView
    forecast: Forecast | None
    level_bought: float | None
    demand_bought_rps: float | None
    candidates: tuple[Candidate, ...]
    decision: Decision
    repeats: bool


def latest_qualities(directory: Path, service: ServiceId) -> tuple[Quality, ...]:
    """How good the forecasts of `service` lately were, by the log below `directory`; none if unknown."""
    path = LogFiles(directory).quality
    found = QUALITIES.validate_json(path.read_bytes()) if path.exists() else ()
    return tuple(quality for quality in found if quality.service == service)


def latest_pass(directory: Path) -> Pass:
    """The newest whole cycle in the log below `directory`."""
    path = LogFiles(directory).passes
    lines = path.read_text().splitlines() if path.exists() else []
    for line in reversed(lines):
        try:
            return decode_pass(line)
        except ValueError:
            continue  # the last line may be torn by a kill
    raise NothingToExplain(f"{path}: no cycle recorded yet; give the directory of a run (--run)")


def explain(done: Pass, service: ServiceId, rules: Rules) -> Explanation:
    """Decide again on the inputs of `done` and say what led to the decision about `service`."""
    known = [view.service.id for view in done.situation.services]
    if service not in known:
        raise NothingToExplain(f"service {service}: not in the recorded cycle; there are: {', '.join(known)}")
    view, now_s = done.situation.view(service), done.situation.at_s
    again = decide(done.situation, done.forecasts, done.plan, now_s, rules)
    decision = next(d for d in again.decisions if d.service == service)
    stored = next((d for d in done.outcome.decisions if d.service == service), None)
    forecast = done.forecasts.get(service)
    level = bought = None
    if forecast is not None:
        level = purchase(view, forecast, done.situation.catalogue, rules.capacity).level
        bought = max(anchored_demand(forecast, level, now_s, rules.horizon))
    scene = Scene(done.situation, now_s, rules.capacity, rules.rails, done.forecasts)
    candidates = _candidates(view, bought, scene)
    return Explanation(view, forecast, level, bought, candidates, decision, stored == decision)


def _candidates(view: ServiceView, demand_rps: float | None, scene: Scene) -> tuple[Candidate, ...]:
    found = []
    for name in view.service.flavors:
        rps = scene.rps(view, name)
        price = scene.situation.catalogue.flavor(name).cost_per_hour
        able = rps > 0 and demand_rps is not None
        replicas = scene.replicas_for(view, name, demand_rps or 0.0) if able else None
        found.append(Candidate(name, rps, replicas, price * replicas if replicas is not None else None))
    return tuple(found)
