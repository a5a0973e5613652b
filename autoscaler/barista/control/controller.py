"""The controller: three rhythms, one writer.

Learn, cycle and surge take turns in one thread, so memory has one writer. Time is an argument:
a live run passes the clock, a simulation its virtual time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from barista.control.cycle import Pass
from barista.ports.platform import Platform, PlatformUnavailable
from barista.values.decision import Applied, Decision, Memory, Outcome

Turn = Callable[[Memory, float], Pass]
"""One pass of a policy: Barista's cycle, or a rival's rules on the same situation."""


class Recorder(Protocol):
    """Keeps what the controller saw and did."""

    def cycle(self, done: Pass, seconds: float) -> None:
        """Take in one cycle, and how long it took."""
        ...

    def decisions(self, decisions: Iterable[Decision]) -> None:
        """Take in decisions made between cycles."""
        ...

    def not_applied(self, applied: Applied) -> None:
        """Take in what the platform did not carry out."""
        ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between cycles, and between looks of surge (None: off)."""

    cycle_s: float
    surge_s: float | None = None


@dataclass(slots=True)
class Controller:
    """Runs what is due and applies what it decides."""

    turn: Turn
    platform: Platform
    rhythm: Rhythm
    surge: Callable[[Memory, float], Outcome] | None = None
    learn: Callable[[float], None] | None = None
    log: Recorder | None = None
    memory: Memory = field(default_factory=Memory)
    _cycle_due_s: float = 0.0
    _surge_due_s: float = 0.0

    def tick(self, now_s: float) -> float:
        """Do what is due at `now_s`; the time at which to be called again."""
        # Due further away than a whole cycle: the clock was set back, and must not keep us waiting.
        if not 1e-9 < self._cycle_due_s - now_s <= self.rhythm.cycle_s + 1e-9:
            self._cycle(now_s)
            self._cycle_due_s = now_s + self.rhythm.cycle_s
            self._surge_due_s = now_s + (self.rhythm.surge_s or self.rhythm.cycle_s)
        elif self.surge is not None and now_s >= self._surge_due_s - 1e-9:
            self._apply_surge(self.surge(self.memory, now_s))
            self._surge_due_s = now_s + (self.rhythm.surge_s or self.rhythm.cycle_s)
        if self.surge is None or self.rhythm.surge_s is None:
            return self._cycle_due_s
        return min(self._cycle_due_s, self._surge_due_s)

    def _cycle(self, now_s: float) -> None:
        started = perf_counter()
        if self.learn is not None:
            self.learn(now_s)
        done = self.turn(self.memory, now_s)
        self.memory = done.outcome.memory
        known = {view.service.id for view in done.situation.services if view.replicas is not None}
        self._carry_out(tuple(d for d in done.outcome.decisions if d.service in known))
        if self.log is not None:
            self.log.cycle(done, perf_counter() - started)

    def _apply_surge(self, outcome: Outcome) -> None:
        self.memory = outcome.memory
        self._carry_out(outcome.decisions)
        if self.log is not None:
            self.log.decisions(outcome.decisions)

    def _carry_out(self, decisions: tuple[Decision, ...]) -> None:
        """Hand over all decisions, those that hold too: what is held may yet have to be made to last."""
        try:
            outcomes = self.platform.apply(decisions)
        except PlatformUnavailable as error:
            # The next cycle decides again, from what is there then.
            outcomes = tuple(Applied(decision.service, ok=False, text=str(error)) for decision in decisions)
        for applied in outcomes:
            if not applied.ok and self.log is not None:
                self.log.not_applied(applied)
