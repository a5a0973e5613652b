"""The rules of a controller: everything constant that deciding needs, as one value."""

from dataclasses import dataclass, field

from barista.plan.pose import Horizon
from barista.ports.capacity import CapacityModel
from barista.rails.rail import RailSettings


@dataclass(frozen=True, slots=True)
class Rules:
    """The planning grid, the capacity model, the guard rails' settings and surge's memory (s).

    `cycle_s` is the time until the next cycle looks (0: at once).
    """

    horizon: Horizon
    capacity: CapacityModel
    rails: RailSettings = field(default_factory=RailSettings)
    cycle_s: float = 0.0
    surge_hold_s: float = 30.0
    surge_fresh_s: float = 5.0
