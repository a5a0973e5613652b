"""What a policy is, and how a rival's wish becomes a decision."""

from dataclasses import replace
from typing import Protocol

from barista.control.changes import changes_between
from barista.values.decision import Decision, Horizontal, Memory, Outcome, Reason
from barista.values.replica import Counts, count_by_flavor
from barista.values.situation import ServiceView, Situation


class Policy(Protocol):
    """Turns a situation into decisions, as Barista's own cycle does.

    `tick_s` is how often its rules look, and over how long they average what they see, in seconds
    (None: as the controller's cycle does). It may keep what it saw to itself; time comes with the
    situation.
    """

    name: str
    tick_s: float | None

    def decide(self, situation: Situation, memory: Memory) -> Outcome:
        """One decision per service at ``situation.at_s``, and the memory to pass on."""
        ...


def outcome(decisions: tuple[Decision, ...], memory: Memory) -> Outcome:
    """The decisions of one more cycle. Rivals leave what Barista remembers of the services alone."""
    return Outcome(decisions, Memory(memory.services, memory.cycles + 1))


def wanted(
    view: ServiceView, raw: Counts, final: Counts, reasons: tuple[Reason, ...], situation: Situation
) -> Decision:
    """The decision for what a policy asked for (`raw`) and what its own bounds left of it (`final`)."""
    current = count_by_flavor(view.replicas or ())
    changes = changes_between(current, final, situation.catalogue) if final != current else ()
    started = [c.flavor for c in changes if isinstance(c, Horizontal) and c.after > c.before]
    setups_s = [view.profiles[name].planned_setup_s for name in started if name in view.profiles]
    return Decision(
        service=view.service.id,
        at_s=situation.at_s,
        authority=view.service.authority,
        current=current,
        raw=raw,
        bounded=final,
        final=final,
        changes=changes,
        ready_at_s=situation.at_s + max(setups_s, default=0.0),
        reasons=reasons,
    )


def held(view: ServiceView, by: str, why: str, situation: Situation) -> Decision:
    """The decision to leave a service as it is, because the policy `by` cannot see what it needs."""
    current = count_by_flavor(view.replicas or ())
    return replace(wanted(view, current, current, (Reason(by, f"{why}: hold"),), situation), planned=False)
