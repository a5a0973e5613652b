"""The planner host: a planner may fail in any way and costs nothing but thrift.

The chosen planner runs in a worker under a hard limit, and what it returns is believed only after
a check (see `accept`). Whatever goes wrong, greedy plans instead; when greedy has no plan either, the
answer is a plan that failed, which means: hold. Where the problem itself is at fault, the note names the
limits to blame (see `blame`).

A planner that has much to load or to compile is rehearsed first, outside any limit (see `rehearsal`). While
it is, and while a worker that was lost is replaced, greedy plans and the note says why.
"""

from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from time import perf_counter
from uuid import uuid4

from barista.plan.accept import PlannerRefusal, accepted
from barista.plan.blame import blame
from barista.plan.greedy import GreedyPlanner
from barista.plan.rehearsal import plan_by, rehearse
from barista.ports.planner import Planner
from barista.values.problem import Plan, PlanLimits, PlanStatus, Problem
from barista.workers import Inline

GRACE_S = 5.0
"""Seconds beyond the time limit that a planner has for coming to its end, its worker's start included."""
REHEARSAL_S = 300.0
"""Seconds after which a rehearsal is given up: what still runs then is hung."""


class PlannerHost:
    """Solves problems by `planner` within `limits`, by `fallback` where that fails."""

    def __init__(
        self,
        planner: Planner,
        limits: PlanLimits,
        executor: Executor | None = None,
        fallback: Planner | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        """`executor` runs `planner`; cancelling its futures must end hung work (None: in this process).

        `fallback`, greedy by default, always runs in this process, without a hard limit.
        """
        self._planner, self._limits, self._grace_s = planner, limits, grace_s
        self._executor = executor or Inline()
        self._fallback = fallback or GreedyPlanner()
        self._fault: str | None = None
        self._key = uuid4().hex
        self._rehearsal: Future[None] | None = None
        self._rehearsed_from = 0.0

    def prepare(self) -> None:
        """Have the planner rehearsed by its worker, now and each time that has to be replaced; no wait."""
        self._rehearsed_from = perf_counter()
        try:
            self._rehearsal = self._executor.submit(rehearse, self._key, self._planner)
        except Exception as error:  # no worker can be had: that is heard again at the problem
            self._rehearsal = Future()
            self._rehearsal.set_exception(error)

    def health(self) -> str | None:
        """What went wrong with the chosen planner at the last problem, in one line; None when nothing did."""
        return self._fault

    def solve(self, problem: Problem) -> Plan:
        """A checked plan with its true cost, or one that failed; `note` tells what went wrong."""
        if not problem.services:
            return Plan({}, PlanStatus.OPTIMAL, self._planner.name, cost=0.0, bound=0.0)
        begun = perf_counter()
        try:
            plan = accepted(problem, self._ask(problem), self._limits)
        except Exception as error:  # a plug-in may raise anything
            self._fault = f"{self._planner.name}: {_in_a_line(error)}"
            return self._solve_anyway(problem, self._fault, perf_counter() - begun)
        self._fault = None
        return plan

    def _ask(self, problem: Problem) -> Plan:
        limit_s = self._limits.time_limit_s
        self._await_rehearsal(limit_s)
        future = self._executor.submit(plan_by, self._key, self._planner, problem, self._limits)
        try:
            return future.result(None if limit_s is None else limit_s + self._grace_s)
        except TimeoutError:
            if not future.done():
                future.cancel()
                if self._rehearsal is not None:
                    self.prepare()
                raise PlannerRefusal(f"no answer {self._grace_s:g} s after its time limit: ended") from None
            raise

    def _await_rehearsal(self, limit_s: float | None) -> None:
        """Wait for the rehearsal as long as one plan may take; PlannerRefusal while it goes on."""
        if self._rehearsal is None:
            return
        if wait([self._rehearsal], limit_s).done:
            return  # a planner that failed at it shows so at the problem
        lasted_s = perf_counter() - self._rehearsed_from
        if lasted_s > REHEARSAL_S:
            self._rehearsal.cancel()
            self.prepare()
            raise PlannerRefusal(f"still not ready after {lasted_s:.0f} s: ended, begun again")
        raise PlannerRefusal(f"getting ready (loading or compiling) for {lasted_s:.0f} s")

    def _solve_anyway(self, problem: Problem, fault: str, lost_s: float) -> Plan:
        seconds = {self._planner.name: lost_s}
        try:
            plan = accepted(problem, self._fallback.plan(problem, self._limits), self._limits)
        except Exception as error:
            culprits = blame(problem)
            note = f"{fault}; {self._fallback.name}: {_in_a_line(error)}{f'; {culprits}' if culprits else ''}"
            return Plan({}, PlanStatus.FAILED, self._fallback.name, seconds=seconds, note=note)
        return replace(
            plan,
            seconds={**seconds, **plan.seconds},
            note=f"{fault}; {self._fallback.name} planned instead",
        )


def _in_a_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    if isinstance(error, PlannerRefusal):
        return text
    return f"{type(error).__name__}{': ' if text else ''}{text}"
