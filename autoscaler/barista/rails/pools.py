"""The guard rail over the whole set of services: node pools hold what they hold.

What is there stays until there is room for what replaces it. Additions are granted one replica at
a time to the service that is worst covered for its priority, so that a tight pool is shared instead of
going to whoever comes first: weighted max-min fairness (Bertsekas and Gallager, "Data Networks", 6.5).
Equals take turns by name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from barista.rails.rail import Proposal, Scene, only_raising
from barista.values.flavor import RESOURCES, Catalogue, Resource
from barista.values.replica import Counts
from barista.values.service import Authority, ServiceId

_Use = dict[tuple[str, Resource], float]


def pool_limits(proposals: tuple[Proposal, ...], scene: Scene) -> tuple[Proposal, ...]:
    """Additions, in-place growth included, are granted while their node pool has room."""
    room = _Room.held_by(proposals, scene.situation.catalogue)
    acting = [p for p in proposals if p.view.service.authority is not Authority.ADVISE]
    advising = [p for p in proposals if p.view.service.authority is Authority.ADVISE]
    # What is only said must fit beside what is done, and takes no room from it.
    granted = _granted(acting, room, scene) | _granted(advising, room, scene)
    return tuple(
        p.bounded_to(granted[p.id], "pool limits", "the node pool has no room for more", scene)
        for p in proposals
    )


def _granted(proposals: Iterable[Proposal], room: "_Room", scene: Scene) -> dict[ServiceId, Counts]:
    granted: dict[ServiceId, Counts] = {}
    wanting: dict[ServiceId, Proposal] = {}
    for p in proposals:
        if room.needs(p.current, p.counts):
            granted[p.id], wanting[p.id] = p.current, p
        else:
            room.take(p.current, p.counts)
            granted[p.id] = p.counts
    goal = {name: only_raising(p.view, p.current, p.counts, scene) for name, p in wanting.items()}
    queue = [(_coverage(p, granted[name], scene), name) for name, p in wanting.items()]
    heapify(queue)
    while queue:
        _, name = heappop(queue)
        p, has = wanting[name], granted[name]
        step = _next_step(has, goal[name], scene.situation.catalogue)
        if step is not None and _within_maximum(p, step, scene) and room.take(has, step):
            granted[name] = step
            heappush(queue, (_coverage(p, step, scene), name))
        elif room.take(has, p.counts):
            # All additions are in, or fit once what they replace is gone: that may go now.
            granted[name] = p.counts
    return granted


@dataclass(slots=True)
class _Room:
    """What of the node pools is in use, while services are granted more."""

    catalogue: Catalogue
    used: _Use

    @staticmethod
    def held_by(proposals: Iterable[Proposal], catalogue: Catalogue) -> "_Room":
        room = _Room(catalogue, {})
        for p in proposals:
            room._add(room._change({}, p.current))
        return room

    def needs(self, before: Counts, after: Counts) -> bool:
        """Whether `after` takes more of anything than `before`."""
        return any(amount > 1e-9 for amount in self._change(before, after).values())

    def take(self, before: Counts, after: Counts) -> bool:
        """Change a service's replicas from `before` to `after` if that fits; whether it did.

        A pool that is over its amount already blocks only who wants more of it.
        """
        change = self._change(before, after)
        for (pool, resource), more in change.items():
            amount = self.catalogue.pools[pool].amount(resource)
            if more > 1e-9 and self.used.get((pool, resource), 0.0) + more > amount + 1e-9:
                return False
        self._add(change)
        return True

    def _add(self, change: _Use) -> None:
        for key, more in change.items():
            self.used[key] = self.used.get(key, 0.0) + more

    def _change(self, before: Counts, after: Counts) -> _Use:
        change: _Use = {}
        for name in {*before, *after} & {*self.catalogue.flavors}:
            flavor, n = self.catalogue.flavors[name], after.get(name, 0) - before.get(name, 0)
            for resource in RESOURCES:
                key = (flavor.pool, resource)
                change[key] = change.get(key, 0.0) + n * flavor.amount(resource)
        return change


def _next_step(has: Counts, goal: Counts, catalogue: Catalogue) -> Counts | None:
    """One replica nearer to the goal: grown in place if there is one to grow, else added."""
    moves = catalogue.moves_in_place(has, goal)
    if moves:
        before, after, _ = moves[0]
        return {**has, before: has[before] - 1, after: has.get(after, 0) + 1}
    missing = sorted(name for name, n in goal.items() if n > has.get(name, 0))
    return {**has, missing[0]: has.get(missing[0], 0) + 1} if missing else None


def _within_maximum(proposal: Proposal, step: Counts, scene: Scene) -> bool:
    """Replacements beside what they replace stay within max_replicas, or within what is held."""
    held = scene.total(proposal.view, proposal.current)
    return scene.total(proposal.view, step) <= max(proposal.view.service.max_replicas, held)


def _coverage(proposal: Proposal, granted: Counts, scene: Scene) -> float:
    """The share of the wanted capacity that is granted, by the service's priority."""
    wanted = scene.capacity_rps(proposal.view, proposal.counts)
    share = scene.capacity_rps(proposal.view, granted) / wanted if wanted > 0 else 1.0
    return share / proposal.view.service.priority
