"""Changes: what has to happen to turn the replicas held into the replicas decided."""

from barista.values.decision import Change, Horizontal, Vertical
from barista.values.flavor import Catalogue
from barista.values.replica import Counts


def changes_between(current: Counts, final: Counts, catalogue: Catalogue) -> tuple[Change, ...]:
    """Changes from `current` to `final`: in place where flavors share a family, else starts and stops."""
    moves = catalogue.moves_in_place(current, final)
    before = {name: current.get(name, 0) for name in sorted({*current, *final})}
    for old, new, count in moves:
        before[old] -= count
        before[new] += count
    horizontal = (
        Horizontal(name, n, final.get(name, 0)) for name, n in before.items() if n != final.get(name, 0)
    )
    return (*(Vertical(*move) for move in moves), *horizontal)
