"""Knobs: the one option of each policy that trades cost for violations, and values of it worth trying.

Policies are compared over their knobs: at one setting each, one may look better only because it bought more.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Knob:
    """The `option` that is turned, and `values` of it, from dear to cheap, besides the one it comes with."""

    option: str
    values: tuple[float, ...]


KNOBS = {
    "aiad": Knob("low", (0.1, 0.3, 0.7, 0.9)),
    "barista": Knob("demand_quantile", (0.99, 0.9, 0.8, 0.6)),
    "hpa": Knob("target_utilisation", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9)),
    "kpa": Knob("target_utilisation", (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)),
    "oneshot": Knob("target", (0.25, 0.5, 0.75, 1.25)),
    "oracle": Knob("latency_percentile", (99.9, 99.5, 98, 95, 80)),
    "published": Knob("factor", (2.0, 1.5, 1.25, 0.75)),
    "schedule": Knob("factor", (1.5, 1.25, 0.75, 0.5)),
    "static": Knob("factor", (1.5, 1.25, 0.75, 0.5)),
}


def knob(name: str) -> Knob | None:
    """The knob of the policy `name`; None where it has none."""
    return KNOBS.get(name)
