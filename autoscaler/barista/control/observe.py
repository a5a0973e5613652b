"""Observe: platform and metrics into one situation; what cannot be seen is marked, never guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barista.ports.platform import MetricSource, Platform, PlatformUnavailable
from barista.values.decision import Memory
from barista.values.flavor import Catalogue
from barista.values.observation import Observation
from barista.values.profile import Profiles
from barista.values.replica import Replica
from barista.values.service import Service, ServiceId
from barista.values.situation import ServiceView, Situation


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at: the services, their models' profiles, the catalogue they share."""

    catalogue: Catalogue
    services: Sequence[Service]
    profiles: Mapping[ServiceId, Profiles]


def observe(
    watched: Watched,
    platform: Platform,
    metrics: MetricSource,
    memory: Memory,
    now_s: float,
    window_s: float,
    step_s: float,
) -> Situation:
    """The situation at `now_s`. An absent platform leaves replicas unknown (None), not empty."""
    try:
        state: Mapping[ServiceId, tuple[Replica, ...]] | None = platform.state()
    except PlatformUnavailable:
        state = None
    seen = metrics.observe(watched.services, now_s, window_s, step_s)
    return Situation(
        at_s=now_s,
        catalogue=watched.catalogue,
        services=tuple(
            ServiceView(
                service=service,
                observation=seen.get(service.id, Observation.missing(service.id)),
                replicas=None if state is None else state.get(service.id, ()),
                profiles=watched.profiles.get(service.id, {}),
                dispatch=platform.dispatch_rule(service.id),
            )
            for service in watched.services
        ),
        memory=memory,
    )
