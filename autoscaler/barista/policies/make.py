"""Makes a rival by its name."""

from collections.abc import Mapping

from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.policies import kpa_policy, static
from barista.policies.options import KpaOptions, PolicyError, StaticOptions, parsed
from barista.policies.policy import Policy

POLICIES = (kpa_policy.NAME, static.NAME)
"""Names of the rivals there are."""


def make_policy(name: str, options: Mapping[str, object], watched: Watched, rules: Rules) -> Policy:
    """The rival `name` for the services that are `watched`. PolicyError when it, or an option, is unknown."""
    if name == kpa_policy.NAME:
        return kpa_policy.Kpa(parsed(KpaOptions, name, options, watched.services), rules.capacity)
    if name == static.NAME:
        return static.Static(parsed(StaticOptions, name, options, watched.services), rules.capacity)
    raise PolicyError(f"policy {name!r}: no such rival; known: {', '.join(POLICIES)} (and barista itself)")
