"""Changes: what has to happen to turn the replicas held into the replicas decided."""

from barista.values.decision import Change, Horizontal, Vertical
from barista.values.flavor import Catalogue
from barista.values.replica import Counts


def changes_between(current: Counts, final: Counts, catalogue: Catalogue) -> tuple[Change, ...]:
    """Changes from `current` to `final`: in place where flavors share a family, else starts and stops."""
    flavors = sorted({*current, *final})
    delta = {name: final.get(name, 0) - current.get(name, 0) for name in flavors}
    in_place: list[Change] = []
    for before in flavors:
        for after in flavors:
            count = min(-delta[before], delta[after])
            if count > 0 and catalogue.same_family(before, after):
                in_place.append(Vertical(before, after, count))
                delta[before] += count
                delta[after] -= count
    horizontal = [
        Horizontal(name, final.get(name, 0) - delta[name], final.get(name, 0))
        for name in flavors
        if delta[name]
    ]
    return (*in_place, *horizontal)
