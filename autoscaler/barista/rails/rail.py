"""What a guard rail is: it takes what each service should hold next and gives it back, bounded.

A rail sees the whole set of proposals and the scene it plays in, changes what it must, and leaves
its name in the reasons. Rails compose; their order stands once, in `barista.rails.guard`.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from barista.ports.capacity import CapacityModel
from barista.values.decision import Reason
from barista.values.forecast import Forecast
from barista.values.replica import Counts, count_by_flavor
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation

NONE: Counts = {}


@dataclass(frozen=True, slots=True)
class RailSettings:
    """The operator's bounds on how decisions may move."""

    safety_margin: float = 1.0
    max_step_up: int = 1000
    max_step_down: int = 1000
    stabilisation_s: float = 120.0
    hysteresis: float = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rails look at besides the proposals. No clock, no I/O."""

    situation: Situation
    now_s: float
    capacity: CapacityModel
    settings: RailSettings
    forecasts: Mapping[ServiceId, Forecast] = field(default_factory=dict)

    def rps(self, view: ServiceView, flavor: str, among: int = 1) -> float:
        """Requests/s that a replica of `flavor`, one of `among`, serves within the SLO.

        0 if it was never measured.
        """
        profile = view.profiles.get(flavor)
        if profile is None:
            return 0.0
        return self.capacity.rps(profile, view.service.slo, view.dispatch, among) / among

    def capacity_rps(self, view: ServiceView, counts: Counts) -> float:
        """Requests/s that `counts` serve within the SLO, each as one of all of them."""
        among = max(1, sum(counts.values()))
        return sum(n * self.rps(view, flavor, among) for flavor, n in counts.items())

    def replicas_for(self, view: ServiceView, flavor: str, needed_rps: float, beside: Counts = NONE) -> int:
        """The fewest replicas of `flavor`, `beside` those given, that serve `needed_rps` with them.

        ValueError when one of it serves nothing.
        """
        alone_rps = self.rps(view, flavor)
        if alone_rps <= 0:
            raise ValueError(f"service {view.service.id}: flavor {flavor!r} cannot meet {view.service.slo}")
        missing_rps = needed_rps - self.capacity_rps(view, beside)

        def is_enough(count: int) -> bool:
            counts = {**beside, flavor: beside.get(flavor, 0) + count}
            return self.capacity_rps(view, counts) >= needed_rps - 1e-9 * alone_rps

        # Together they serve at least what each would alone.
        most = max(0, ceil(missing_rps / alone_rps - 1e-9))
        return bisect_left(range(most), True, key=is_enough)

    def usable(self, view: ServiceView) -> tuple[str, ...]:
        """The service's flavors that can meet its SLO; all of its flavors when none can."""
        able = tuple(name for name in view.service.flavors if self.rps(view, name) > 0)
        return able or view.service.flavors

    def total(self, view: ServiceView, counts: Counts) -> int:
        """Replicas that count towards the service's bounds.

        Those on flavors that it may or can no longer use do not: they leave once others serve.
        """
        return sum(counts.get(name, 0) for name in self.usable(view))


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one service should hold next, while the rails still bound it.

    `current` is what it holds now; with `frozen` set, no rail can stop any of that or make it less
    able. `planned` is unset where there was no plan to follow.
    """

    view: ServiceView
    counts: Counts
    reasons: tuple[Reason, ...] = ()
    frozen: bool = False
    planned: bool = True

    @property
    def id(self) -> ServiceId:
        """The service's identity."""
        return self.view.service.id

    @property
    def current(self) -> dict[str, int]:
        """Replicas held now, by flavor."""
        return count_by_flavor(self.view.replicas or ())

    def bounded_to(self, counts: Counts, rail: str, text: str, scene: Scene) -> "Proposal":
        """The proposal with `counts`, and the rail's reason; unchanged counts leave no trace."""
        if self.frozen:
            counts = only_raising(self.view, self.current, counts, scene)
        counts = {flavor: n for flavor, n in counts.items() if n > 0}
        if counts == self.counts:
            return self
        return replace(self, counts=counts, reasons=(*self.reasons, Reason(rail, text, binds=True)))


Rail = Callable[[tuple[Proposal, ...], Scene], tuple[Proposal, ...]]
"""A guard rail over the whole set of proposals."""


def each(rail: Callable[[Proposal, Scene], Proposal]) -> Rail:
    """A rail that looks at one service at a time, as a rail over the set."""

    def over_all(proposals: tuple[Proposal, ...], scene: Scene) -> tuple[Proposal, ...]:
        return tuple(rail(proposal, scene) for proposal in proposals)

    return over_all


def only_raising(view: ServiceView, held: Counts, wanted: Counts, scene: Scene) -> dict[str, int]:
    """What is held, changed towards `wanted` where that stops no replica and makes none less able."""
    counts = dict(held)
    missing = {name: n - held.get(name, 0) for name, n in wanted.items()}
    for before, after, count in scene.situation.catalogue.moves_in_place(held, wanted):
        missing[after] -= count
        if scene.rps(view, after) >= scene.rps(view, before):
            counts[before] -= count
            counts[after] = counts.get(after, 0) + count
    for name, count in missing.items():
        if count > 0:
            counts[name] = counts.get(name, 0) + count
    return {name: n for name, n in counts.items() if n > 0}


def raised_to(view: ServiceView, counts: Counts, needed_rps: float, scene: Scene) -> dict[str, int]:
    """`counts`, raised until they serve `needed_rps`, by the flavor with the least cost per request."""
    raised = dict(counts)
    flavor = cheapest_flavor(view, scene)
    if needed_rps - scene.capacity_rps(view, counts) > 1e-9 and flavor is not None:
        raised[flavor] = raised.get(flavor, 0) + scene.replicas_for(view, flavor, needed_rps, counts)
    return raised


def cheapest_flavor(view: ServiceView, scene: Scene) -> str | None:
    """The service's flavor with the least cost per request; None when none can meet the SLO."""
    flavors = scene.situation.catalogue.flavors
    able = {name: rps for name in scene.usable(view) if (rps := scene.rps(view, name)) > 0}
    return min(able, key=lambda name: (flavors[name].cost_per_hour / able[name], name), default=None)
