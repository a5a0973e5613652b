"""Actuation: decisions written to a cluster, and taken back. The one place that writes to a service.

Under `advise` nothing is written, and a service that did not opt in is never touched. Before a Revision's
bounds are written for the first time, those found there are stored in the ScalingPlan, so that whoever
comes next can give them back. Each write is made only where something differs.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from barista.platforms.knative.bounds import Bounds, read_bounds
from barista.platforms.knative.client import REVISIONS, ApiServer, Object, Refused
from barista.platforms.knative.dialect import too_old
from barista.platforms.knative.following import Followers
from barista.platforms.knative.limits import wanted_bounds
from barista.platforms.knative.plans import MISSING, PlanWriter
from barista.platforms.knative.resizing import flavor_reader, resize
from barista.platforms.knative.scaling_plan import RevisionStatus, ScaleBounds, ScalingPlanStatus
from barista.platforms.knative.snapshot import Snapshot
from barista.platforms.knative.state import RevisionState, ServiceState
from barista.platforms.knative.turning import Turns, flavor_of, is_turn
from barista.platforms.knative.watching import Reflector
from barista.ports.platform import PlatformUnavailable
from barista.values.decision import Applied, Decision
from barista.values.flavor import Catalogue
from barista.values.service import Authority, ServiceId

YIELD_S = (30.0, 960.0)
"""How long bounds that someone else changed are left alone: after the first time, and at most."""

Tell = Callable[[ServiceState, str, str], None]
"""Takes in what happened to a service: a reason in one word, and what happened."""


@dataclass(slots=True)
class _Written:
    """What was written on a Revision last, and how often someone else undid it."""

    bounds: Bounds
    version: int
    undone: int = 0
    quiet_until_s: float | None = None


class Actuator:
    """Carries decisions out on `server`; what happens to a service is told to `tell`."""

    def __init__(
        self,
        server: ApiServer,
        revisions: Reflector,
        plans: PlanWriter,
        followers: Followers,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server, self._revisions, self._plans, self._followers = server, revisions, plans, followers
        self._tell, self._clock = tell, clock
        self._written: dict[tuple[ServiceId, str], _Written] = {}
        self._turns = Turns()

    def apply(self, decision: Decision, snapshot: Snapshot, catalogue: Catalogue, usual: str) -> Applied:
        """Bring the service to what `decision` says. What stands in the way is in the answer, in words.

        Pods that bear no flavor are of the `usual` one.
        """
        service = snapshot.services.get(decision.service)
        if service is None or not snapshot.asked(decision.service):
            return Applied(decision.service, ok=True, text="it is gone, or opted out: nothing is written")
        if decision.authority is Authority.ADVISE:
            return Applied(decision.service, ok=True, text="advise: nothing is written")
        old = too_old(snapshot.config.version)
        if old is not None:
            return Applied(decision.service, ok=False, text=old)
        if not decision.changes and not decision.planned:
            # Under `floor` the KPA may hold more than was planned: that must not become the new minimum.
            return Applied(decision.service, ok=True, text="no plan: the bounds stay as they are")
        try:
            faults = self._carry_out(decision, service, snapshot, flavor_reader(catalogue, usual), catalogue)
        except (PlatformUnavailable, Refused) as error:
            return Applied(decision.service, ok=False, text=str(error))
        return Applied(decision.service, ok=not faults, text="; ".join(faults))

    def give_back(self, service: ServiceState, status: ScalingPlanStatus) -> bool:
        """Put back the bounds that were found on the service's Revisions; whether there were any.

        Bounds that someone else has changed since stay as they are. Raises PlatformUnavailable, or Refused.
        """
        if not status.revisions and status.replicas is None and status.flavor is None:
            return False
        for found in status.revisions:
            self._restore(service, found)
        self._plans.write(service, {"replicas": None, "flavor": None, "authority": None, "revisions": None})
        if status.revisions:
            self._tell(service, "GivenBack", "the scale bounds found on its Revisions are theirs again")
        return True

    def _carry_out(
        self,
        decision: Decision,
        service: ServiceState,
        snapshot: Snapshot,
        read: Callable[[Object], str],
        catalogue: Catalogue,
    ) -> list[str]:
        pods = snapshot.pods.get(service.id, ())
        replicas, hindrance = self._turns.replicas(decision, service.own_bounds.most, pods, catalogue)
        wanted = wanted_bounds(service, snapshot.config, decision.authority, replicas)
        plan = snapshot.plans.get(service.id)
        status = plan.status if plan is not None else ScalingPlanStatus()
        reached = {revision.name for revision in service.revisions}
        known = {found.name: found.written.bounds() for found in status.revisions}
        for found in status.revisions:
            if reached and found.name not in reached:
                self._restore(service, found)
        kept = self._keep(decision, service, status, wanted, catalogue)
        if plan is None or kept != status:
            self._plans.write(service, _changed(status, kept))
        faults = [hindrance] if hindrance else []
        faults += resize(self._server, decision, pods, read, catalogue)
        for revision in service.revisions:
            fault = self._bring(service, revision, wanted[revision.name], known.get(revision.name))
            late = self._followers.check(service, revision, wanted[revision.name], snapshot)
            faults += [text for text in (fault, late) if text]
        return faults

    def _keep(
        self,
        decision: Decision,
        service: ServiceState,
        status: ScalingPlanStatus,
        wanted: Mapping[str, Bounds],
        catalogue: Catalogue,
    ) -> ScalingPlanStatus:
        """What the ScalingPlan must say before anything is written."""
        known = {found.name: found for found in status.revisions}
        revisions = []
        for revision in service.revisions:
            # The newest was born from the template, possibly with planned bounds from its first moment on.
            at_first = service.own_bounds if revision.is_latest else revision.bounds
            before = known[revision.name].original if revision.name in known else ScaleBounds.of(at_first)
            written = ScaleBounds.of(wanted[revision.name])
            revisions.append(RevisionStatus(name=revision.name, original=before, written=written))
        flavor = flavor_of(decision, status.flavor)
        turn = status.flavor_turn
        if is_turn(status.flavor, flavor, catalogue):
            turn = (turn or 0) + 1
        return status.model_copy(
            update={
                "authority": decision.authority,
                "flavor": flavor or status.flavor,
                "flavor_turn": turn,
                "replicas": sum(decision.final.values()),
                # For a moment no Revision may be reached: what was found must not be forgotten then.
                "revisions": tuple(revisions) or status.revisions,
            }
        )

    def _bring(
        self, service: ServiceState, revision: RevisionState, wanted: Bounds, known: Bounds | None
    ) -> str:
        """Write `wanted` where it differs; why not, where someone else undid the last write.

        `known` is what the ScalingPlan says was written last, perhaps by the controller before this one.
        """
        key = (service.id, revision.name)
        if key not in self._written and known is not None and not _is_ours(revision, known):
            self._written[key] = _Written(known, revision.version)
        last = self._written.get(key)
        # An older copy has not caught up with our own write.
        there = last.bounds if last is not None and revision.version < last.version else revision.bounds
        if there == wanted:
            return ""
        if last is not None and there != last.bounds and self._yields(service, revision, last):
            return (
                f"revision {revision.name}: someone else set {_text(there)} instead of {_text(last.bounds)}"
                f" ({last.undone} times now): left alone for a while"
            )
        version = self._write(REVISIONS.path(service.namespace, revision.name), wanted)
        self._written[key] = _Written(wanted, version, last.undone if last is not None else 0)
        return ""

    def _yields(self, service: ServiceState, revision: RevisionState, last: _Written) -> bool:
        """Whether to leave alone what someone else wrote: for a while, longer each time."""
        now_s = self._clock()
        if last.quiet_until_s is None:
            last.quiet_until_s = now_s + min(YIELD_S[0] * 2**last.undone, YIELD_S[1])
            last.undone += 1
            text = f"revision {revision.name}: {_text(last.bounds)} was changed to {_text(revision.bounds)}"
            self._tell(service, "BoundsReverted", text)
        return now_s < last.quiet_until_s

    def _restore(self, service: ServiceState, found: RevisionStatus) -> None:
        path = REVISIONS.path(service.namespace, found.name)
        last = self._written.pop((service.id, found.name), None)
        # What the plan says was stored before it was written: where that failed, an earlier write stands.
        ours = {found.written.bounds()} | ({last.bounds} if last is not None else set())
        if self._bounds_at(path) in ours:
            self._write(path, found.original.bounds())

    def _bounds_at(self, path: str) -> Bounds | None:
        """The bounds of the Revision at `path` as they are this moment; None when it is gone."""
        try:
            return read_bounds(self._server.get(path)["metadata"].get("annotations") or {})
        except Refused as error:
            if error.status != MISSING:
                raise
            return None

    def _write(self, path: str, bounds: Bounds) -> int:
        patched = self._server.patch(path, {"metadata": {"annotations": bounds.annotations()}})
        self._revisions.take_in(patched)
        return int(patched["metadata"]["resourceVersion"])


def _is_ours(revision: RevisionState, known: Bounds) -> bool:
    """Whether we wrote the revision's bounds, though `known` may say otherwise.

    A controller that ended between what it stored and what it wrote left bounds of its own that are older.
    """
    there, stored = revision.bounds.annotations(), known.annotations()
    return all(name in revision.ours for name, text in there.items() if text != stored[name])


def _changed(old: ScalingPlanStatus, new: ScalingPlanStatus) -> dict[str, object]:
    before, after = old.document(), new.document()
    return {name: value for name, value in after.items() if before.get(name) != value}


def _text(bounds: Bounds) -> str:
    return f"{bounds.least if bounds.least is not None else '-'}..{bounds.most or '-'}"
