"""Limits: what Knative refuses, and how replicas of a service divide among its Revisions. Pure."""

from collections.abc import Mapping, Sequence

from barista.platforms.knative.bounds import Bounds, planned_bounds
from barista.platforms.knative.state import ClusterConfig, ServiceState
from barista.values.service import Authority


def wanted_bounds(
    service: ServiceState, config: ClusterConfig, authority: Authority, replicas: int
) -> Mapping[str, Bounds]:
    """The bounds to write, by Revision, for `replicas` of `service` in all."""
    counts = split(replicas, [revision.share for revision in service.revisions])
    return {
        revision.name: accepted(
            planned_bounds(service.own_bounds, authority, count, revision.activation_scale), config
        )
        for revision, count in zip(service.revisions, counts, strict=True)
    }


def split(replicas: int, shares: Sequence[float]) -> tuple[int, ...]:
    """`replicas` divided by `shares`, largest remainders first; whoever gets requests gets one at least.

    Small shares can so make the sum larger than `replicas`; of no replicas everyone gets none.
    """
    if replicas == 0 or not shares:
        return (0,) * len(shares)
    exact = [replicas * share / sum(shares) for share in shares]
    counts = [int(part + 1e-9) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: replicas - sum(counts)]:
        counts[i] += 1
    return tuple(max(1, count) for count in counts)


def accepted(bounds: Bounds, config: ClusterConfig) -> Bounds:
    """`bounds` within the cluster's own.

    A maximum above its limit is refused; a minimum above its default maximum would have no effect.
    """
    most, limit = bounds.most, config.max_scale_limit
    if limit and most is not None:
        most = min(most or limit, limit)
    ceiling = most or (config.max_scale if most is None else 0) or limit
    least = min(bounds.least or 0, ceiling) if ceiling else bounds.least or 0
    return Bounds(least, most)
