"""Scale to zero: when Knative lets a service's last pod go.

A service counts as active from when its first pod is ready. Once no pod is wanted it stays so until it has
been active for a stable window, with one pod; then it is marked inactive, and keeps its pods for the grace
period, in which the activator is put into the path of its requests. After that it has none.
After knative.dev/serving, pkg/reconciler/autoscaling/kpa (the activator always in the path).
"""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Where a service stands: its first pod is on its way, it is in use, or it is idle."""

    ACTIVATING = "activating"
    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class ZeroRules:
    """The constants: whether services go to zero at all, and after which times."""

    enabled: bool = True
    stable_window_s: float = 60.0
    grace_s: float = 30.0
    retention_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Since:
    """How a service stands, and since when."""

    standing: Standing
    at_s: float


def bounded(wanted: int, since: Since, now_s: float, rules: ZeroRules) -> int | None:
    """How many pods there are to be where `wanted` are; None leaves them as they are."""
    if wanted > 0:
        return wanted
    if not rules.enabled:
        return 1
    lasted_s = now_s - since.at_s
    match since.standing:
        case Standing.ACTIVATING:
            return None
        case Standing.ACTIVE:
            return None if lasted_s >= rules.stable_window_s else 1
        case Standing.INACTIVE:
            return 0 if lasted_s >= max(rules.grace_s, rules.retention_s) else None


def following(since: Since, wanted: int, kept: int | None, ready: int, now_s: float) -> Since:
    """How it stands after `bounded` said `kept` where `wanted` are and `ready` serve."""
    if wanted > 0 or kept == 1:
        standing = Standing.ACTIVE if ready > 0 else Standing.ACTIVATING
    elif since.standing is Standing.ACTIVATING:
        standing = Standing.ACTIVATING
    else:
        standing = Standing.INACTIVE
    return since if standing is since.standing else Since(standing, now_s)
