"""Scale bounds: the two annotations by which Knative lets others have a say in its scale.

A service's own bounds stand in its template. What Barista plans is laid over them, never read back:
bounds that were read from where they were written would ratchet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from barista.values.service import Authority

MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
ACTIVATION_SCALE = "autoscaling.knative.dev/activation-scale"
OLD_NAMES = {MIN_SCALE: "autoscaling.knative.dev/minScale", MAX_SCALE: "autoscaling.knative.dev/maxScale"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Replicas of a Revision at least and at most; None where the annotation is absent.

    As Knative has it, `most` 0 is unlimited.
    """

    least: int | None = None
    most: int | None = None

    def annotations(self) -> dict[str, str | None]:
        """As a merge-patch writes them: None takes an annotation away."""
        return {MIN_SCALE: _text(self.least), MAX_SCALE: _text(self.most)}


def read_bounds(annotations: Mapping[str, str]) -> Bounds:
    """The bounds among `annotations`, also under Knative's older names. ValueError when one is no count."""
    return Bounds(_count(annotations, MIN_SCALE), _count(annotations, MAX_SCALE))


def read_activation_scale(annotations: Mapping[str, str]) -> int | None:
    """Replicas that the service wakes up with; None where nothing is said. ValueError when it is no count."""
    return _count(annotations, ACTIVATION_SCALE)


def planned_bounds(
    own: Bounds, authority: Authority, replicas: int, activation_scale: int | None = None
) -> Bounds:
    """What to write for `replicas` planned under `authority`, where the template says `own`.

    `floor` moves the minimum and leaves the maximum; `pin` moves both, except at zero replicas:
    there a maximum of 0 would mean unlimited, and only the KPA takes a service to zero. What the
    template bounds stays bounded. Knative refuses a minimum above the activation scale and a maximum
    below it. `advise` writes what is there.
    """
    if authority is Authority.ADVISE:
        return own
    least = max(replicas, own.least or 0)
    if own.most:
        least = min(least, own.most)
    most = least if authority is Authority.PIN and least > 0 else own.most
    if activation_scale is None:
        return Bounds(least, most)
    return Bounds(min(least, activation_scale), max(most, activation_scale) if most else most)


def _count(annotations: Mapping[str, str], key: str) -> int | None:
    text = annotations.get(key, annotations.get(OLD_NAMES.get(key, key)))
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"annotation {key}: {text!r}: need a number of replicas")
    return int(text)


def _text(count: int | None) -> str | None:
    return None if count is None else str(count)
