"""What a guard rail is: it takes what each service should hold next and gives it back, bounded.

A rail sees the whole set of proposals and the scene it plays in, changes what it must, and leaves
its name in the reasons. Rails compose; their order stands once, in `barista.rails.guard`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from barista.capacity.published import CapacityModel
from barista.values.decision import Reason
from barista.values.forecast import Forecast
from barista.values.replica import Counts, count_by_flavor
from barista.values.service import ServiceId
from barista.values.situation import ServiceView, Situation


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

    def rps(self, view: ServiceView, flavor: str) -> float:
        """Requests/s that one replica of `flavor` serves within the SLO; 0 if it was never measured."""
        profile = view.profiles.get(flavor)
        if profile is None:
            return 0.0
        return self.capacity.rps(profile, view.service.slo, view.dispatch, 1)

    def capacity_rps(self, view: ServiceView, counts: Counts) -> float:
        """Requests/s that `counts` serve within the SLO."""
        return sum(n * self.rps(view, flavor) for flavor, n in counts.items())


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one service should hold next, while the rails still bound it.

    `current` is what it holds now; with `frozen` set nothing may fall below that any more.
    """

    view: ServiceView
    counts: Counts
    reasons: tuple[Reason, ...] = ()
    frozen: bool = False

    @property
    def id(self) -> ServiceId:
        """The service's identity."""
        return self.view.service.id

    @property
    def current(self) -> dict[str, int]:
        """Replicas held now, by flavor."""
        return count_by_flavor(self.view.replicas or ())

    def bounded_to(self, counts: Counts, rail: str, text: str) -> "Proposal":
        """The proposal with `counts`, and the rail's reason; unchanged counts leave no trace."""
        counts = {flavor: n for flavor, n in counts.items() if n > 0}
        if counts == {flavor: n for flavor, n in self.counts.items() if n > 0}:
            return self
        return replace(self, counts=counts, reasons=(*self.reasons, Reason(rail, text, binds=True)))


Rail = Callable[[tuple[Proposal, ...], Scene], tuple[Proposal, ...]]
"""A guard rail over the whole set of proposals."""


def each(rail: Callable[[Proposal, Scene], Proposal]) -> Rail:
    """A rail that looks at one service at a time, as a rail over the set."""

    def over_all(proposals: tuple[Proposal, ...], scene: Scene) -> tuple[Proposal, ...]:
        return tuple(rail(proposal, scene) for proposal in proposals)

    return over_all


def raised_to(proposal: Proposal, scene: Scene, needed_rps: float) -> dict[str, int]:
    """The counts, raised until they serve `needed_rps`, by the flavor with the least cost per request."""
    counts = dict(proposal.counts)
    missing = needed_rps - scene.capacity_rps(proposal.view, counts)
    flavor = cheapest_flavor(proposal.view, scene)
    if missing > 1e-9 and flavor is not None:
        counts[flavor] = counts.get(flavor, 0) + ceil(missing / scene.rps(proposal.view, flavor) - 1e-9)
    return counts


def cheapest_flavor(view: ServiceView, scene: Scene) -> str | None:
    """The service's flavor with the least cost per request; None when none can meet the SLO."""
    catalogue = scene.situation.catalogue
    able = {name: rps for name in view.service.flavors if (rps := scene.rps(view, name)) > 0}
    return min(able, key=lambda name: (catalogue.flavor(name).cost_per_hour / able[name], name), default=None)
