"""Which flavor a rival uses that knows only one: the largest of the cheapest family."""

from barista.ports.capacity import CapacityModel
from barista.values.flavor import Catalogue
from barista.values.situation import ServiceView


def one_flavor(view: ServiceView, catalogue: Catalogue, capacity: CapacityModel) -> str:
    """The largest flavor of the family that serves a request within the SLO at least cost.

    Where no flavor is known to meet the SLO, the cheapest one per hour stands for its family.
    """

    def cost_per_request(name: str) -> float:
        profile = view.profiles.get(name)
        rps = capacity.rps(profile, view.service.slo, view.dispatch, 1) if profile is not None else 0.0
        return catalogue.flavor(name).cost_per_hour / rps if rps > 0 else float("inf")

    def price(name: str) -> tuple[float, float, str]:
        return cost_per_request(name), catalogue.flavor(name).cost_per_hour, name

    cheapest = min(view.service.flavors, key=price)
    family = [name for name in view.service.flavors if catalogue.same_family(name, cheapest)]
    return max(family, key=lambda name: (catalogue.flavor(name).cpu, catalogue.flavor(name).gpu, name))
