"""The guard rails over the whole set of services: shared pools, and who has the last word."""

from collections.abc import Iterable
from dataclasses import replace

from barista.rails.rail import Proposal, Scene
from barista.values.decision import Reason
from barista.values.flavor import RESOURCES, Catalogue, Resource
from barista.values.replica import Counts
from barista.values.service import Authority


def pool_limits(proposals: tuple[Proposal, ...], scene: Scene) -> tuple[Proposal, ...]:
    """What every service keeps stays; additions are granted while their pool has room.

    Additions are granted one replica at a time to the service that is worst covered, so that a
    tight pool is shared instead of going to whoever comes first. In-place growth counts as well.
    """
    catalogue = scene.situation.catalogue
    granted = {p.id: _kept(p, catalogue) for p in proposals}
    wanting = {p.id: p for p in proposals}
    while wanting:
        candidates = {
            name: step
            for name, p in wanting.items()
            if (step := _next_step(granted[name], p.counts, catalogue)) is not None
        }
        if not candidates:
            break
        name = min(candidates, key=lambda n: (_coverage(wanting[n], granted[n], scene), n))
        trial = {**granted, name: candidates[name]}
        if _fits(trial.values(), catalogue):
            granted = trial
        else:
            del wanting[name]
    return tuple(
        p.bounded_to(granted[p.id], "pool limits", "the node pool has no room for more") for p in proposals
    )


def authority(proposals: tuple[Proposal, ...], _scene: Scene) -> tuple[Proposal, ...]:
    """Under `advise` nothing changes: what would be done is only said."""
    return tuple(
        replace(
            p,
            counts=p.current,
            reasons=(
                *p.reasons,
                Reason("authority", "advise: only said, not done", binds=p.counts != p.current),
            ),
        )
        if p.view.service.authority is Authority.ADVISE
        else p
        for p in proposals
    )


def _kept(proposal: Proposal, catalogue: Catalogue) -> dict[str, int]:
    """What of the wish is there already: same flavor, or a smaller one of the family to grow from."""
    held, wanted = proposal.current, proposal.counts
    kept = {name: min(n, held.get(name, 0)) for name, n in wanted.items()}
    spare = {name: n - kept.get(name, 0) for name, n in held.items()}
    missing = {name: n - kept[name] for name, n in wanted.items()}
    for name in sorted(missing, key=lambda flavor: catalogue.flavor(flavor).cpu):
        for source in sorted(spare, key=lambda flavor: -catalogue.flavor(flavor).cpu):
            if not catalogue.same_family(source, name):
                continue
            count = min(missing[name], spare[source])
            if count <= 0:
                continue
            # A replica that shrinks is there already; one that grows waits its turn as it is.
            shrinks = catalogue.flavor(name).cpu <= catalogue.flavor(source).cpu
            settled = name if shrinks else source
            kept[settled] = kept.get(settled, 0) + count
            missing[name] -= count
            spare[source] -= count
    return {name: n for name, n in kept.items() if n > 0}


def _next_step(granted: Counts, wanted: Counts, catalogue: Catalogue) -> dict[str, int] | None:
    """One replica nearer to what is wanted: grown in place if there is one to grow, else added."""
    missing = [name for name, n in wanted.items() if n > granted.get(name, 0)]
    if not missing:
        return None
    name = min(missing)
    surplus = [s for s, n in granted.items() if n > wanted.get(s, 0) and catalogue.same_family(s, name)]
    step = {**granted, name: granted.get(name, 0) + 1}
    if surplus:
        step[surplus[0]] -= 1
    return {flavor: n for flavor, n in step.items() if n > 0}


def _coverage(proposal: Proposal, granted: Counts, scene: Scene) -> float:
    wanted = scene.capacity_rps(proposal.view, proposal.counts)
    return scene.capacity_rps(proposal.view, granted) / wanted if wanted > 0 else 1.0


def _fits(sets: Iterable[Counts], catalogue: Catalogue) -> bool:
    used: dict[tuple[str, Resource], float] = {}
    for counts in sets:
        for name, n in counts.items():
            flavor = catalogue.flavor(name)
            for resource in RESOURCES:
                key = (flavor.pool, resource)
                used[key] = used.get(key, 0.0) + n * flavor.amount(resource)
    return all(
        amount <= catalogue.pools[pool].amount(resource) + 1e-9 for (pool, resource), amount in used.items()
    )
