"""Turning: how a service changes its flavor family on a platform that only counts its pods.

New pods are given the planned flavor at admission, and when fewer are wanted again, those of earlier turns
leave first. So where some go and others come at once, the new ones come first, and the others go in a
later cycle; where the service's maximum has no room for both, room is made first. While new pods are not
given their flavor, as the webhook is away, no more are started: they would be taken for old ones, and
each cycle would ask for more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from barista.platforms.knative.annotations import FLAVOR
from barista.platforms.knative.client import Object
from barista.values.decision import Decision, Horizontal
from barista.values.flavor import Catalogue
from barista.values.service import ServiceId


def flavor_of(decision: Decision, last: str | None) -> str | None:
    """The flavor that new pods are given: what is being started, else the `last` one while that is held.

    Else what is held most of.
    """
    started = [c.flavor for c in decision.changes if isinstance(c, Horizontal) and c.after > c.before]
    counts = decision.final
    if not started and last in counts:
        return last
    return max(started or counts, key=lambda name: (counts.get(name, 0), name), default=None)


def is_turn(before: str | None, after: str | None, catalogue: Catalogue) -> bool:
    """Whether pods of flavor `before` cannot become `after` in place."""
    if before is None or after is None or before == after:
        return False
    return not catalogue.same_family(before, after)


@dataclass(frozen=True, slots=True)
class _Marked:
    """How many pods bear a flavor, and how many do not."""

    with_flavor: int
    without: int

    @staticmethod
    def among(pods: Iterable[Object]) -> "_Marked":
        there = [pod["metadata"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        marked = sum(FLAVOR in (metadata.get("annotations") or {}) for metadata in there)
        return _Marked(marked, len(there) - marked)


class Turns:
    """Watches over services amid a change of their flavor family."""

    def __init__(self) -> None:
        self._begun: dict[ServiceId, _Marked] = {}

    def replicas(
        self, decision: Decision, most: int | None, pods: Iterable[Object], catalogue: Catalogue
    ) -> tuple[int, str]:
        """How many replicas to ask for now, of all flavors; and what hinders the change, in words.

        `most` is the service's own maximum (None or 0: there is none), `pods` are those that it has.
        """
        final = sum(decision.final.values())
        steps = [c.after - c.before for c in decision.changes if isinstance(c, Horizontal)]
        coming, going = sum(n for n in steps if n > 0), -sum(n for n in steps if n < 0)
        if _families(decision, catalogue) < 2:
            self._begun.pop(decision.service, None)
        elif coming:
            now = _Marked.among(pods)
            before = self._begun.setdefault(decision.service, now)
            if now.without > before.without and now.with_flavor <= before.with_flavor:
                return final - coming + going, "new pods are not given their flavor (is the webhook there?)"
        if not coming or not going:
            return final, ""
        return (final + going if not most or final + going <= most else final - coming), ""


def _families(decision: Decision, catalogue: Catalogue) -> int:
    """Families among what the service is to hold; a flavor that has left the catalogue is one of its own."""
    flavors = (catalogue.flavors.get(name) for name in decision.final)
    known = [flavor.family for flavor in flavors if flavor is not None]
    return len(set(known)) + len(decision.final) - len(known)
