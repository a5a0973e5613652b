"""Moves: what turns the replicas held into the replicas wanted. Pure, and nothing to do when they agree.

Desired counts are a state, not a sequence of orders: asking twice for the same changes nothing, and a
replica that crashed is simply one that is missing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from barista.values.flavor import Catalogue
from barista.values.replica import Counts, Phase, Replica, count_by_flavor


@dataclass(frozen=True, slots=True)
class Moves:
    """Replicas to change in place (id and new flavor), flavors to start one of each, replicas to stop.

    `leased` are surplus replicas that stay until their lease is over.
    """

    resize: tuple[tuple[str, str], ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    leased: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (
            (len(self.resize), "changed in place"),
            (len(self.start), "started"),
            (len(self.stop), "stopped"),
            (len(self.leased), "kept until the lease is over"),
        )
        return ", ".join(f"{count} {what}" for count, what in parts if count) or "nothing to do"


def moves(replicas: Iterable[Replica], target: Counts, catalogue: Catalogue, now_s: float) -> Moves:
    """How to get from `replicas` (of one service; draining ones count for nothing) to `target` at `now_s`.

    Within a flavor family replicas change in place, ones that serve before ones that are starting. What
    is left over is stopped: starting ones first, then those whose lease is over, the newest first.
    """
    held = sorted(
        (replica for replica in replicas if replica.phase is not Phase.DRAINING),
        key=lambda r: (r.phase is Phase.STARTING, r.lease_until_s <= now_s, r.ordered_at_s),
    )
    missing = Counter(target)
    resize: list[tuple[str, str]] = []
    for before, after, count in catalogue.moves_in_place(count_by_flavor(held), target):
        changing = [replica for replica in held if replica.flavor == before][:count]
        held = [replica for replica in held if replica not in changing]
        resize += [(replica.id, after) for replica in changing]
        missing[after] -= count

    surplus: list[Replica] = []
    for replica in held:
        missing[replica.flavor] -= 1
        if missing[replica.flavor] < 0:
            surplus.append(replica)
    free = {r.id for r in surplus if r.phase is Phase.STARTING or r.lease_until_s <= now_s}
    return Moves(
        resize=tuple(resize),
        start=tuple(sorted((+missing).elements())),
        stop=tuple(r.id for r in surplus if r.id in free),
        leased=tuple(r.id for r in surplus if r.id not in free),
    )
