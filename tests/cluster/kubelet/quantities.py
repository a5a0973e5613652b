"""Kubernetes' quantities (``250m``, ``1Gi``) as numbers, and what a pod asks for in all."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


def number(quantity: str | float) -> float:
    """The value of a quantity: cores, bytes or pieces."""
    text = str(quantity)
    digits = text.rstrip("numkMGTi")
    return float(digits) * _SUFFIXES[text[len(digits) :]]


def requests(pod: Mapping[str, Any]) -> Counter[str]:
    """What the pod's containers ask for together, by resource; extended resources count by their limits."""
    asked: Counter[str] = Counter()
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for name, quantity in {
            **(resources.get("limits") or {}),
            **(resources.get("requests") or {}),
        }.items():
            asked[name] += number(quantity)  # type: ignore[assignment]  # a Counter of floats adds as well
    return asked


def cpu_limit(container: Mapping[str, Any]) -> float | None:
    """Cores the container may use; None when it has no limit."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
    return None if limit is None else number(limit)
