"""The order of the guard rails: always ours, after any planner, over the whole set of decisions."""

from collections.abc import Mapping

from barista.rails import service
from barista.rails.pools import pool_limits
from barista.rails.rail import Proposal, Rail, Scene, each
from barista.values.replica import Counts
from barista.values.service import ServiceId

RAILS: tuple[Rail, ...] = (
    each(service.hold_when_blind),
    each(service.safety_margin),
    each(service.reactive_minimum),
    each(service.surge_boost),
    each(service.service_bounds),
    each(service.rate_limits),
    each(service.hysteresis),
    each(service.stabilisation),
    pool_limits,
)
LAST_WORD: Rail = each(service.authority)


def guard(
    proposals: tuple[Proposal, ...], scene: Scene
) -> tuple[tuple[Proposal, ...], Mapping[ServiceId, Counts]]:
    """The proposals through all rails, and what they were before authority (``bounded``)."""
    for rail in RAILS:
        proposals = rail(proposals, scene)
    bounded = {proposal.id: proposal.counts for proposal in proposals}
    return LAST_WORD(proposals, scene), bounded
