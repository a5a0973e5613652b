"""Asking: how questions about many services reach the workers, and what becomes of those who do not answer.

A message a service would cost more than a forecast, so services are asked in chunks. A chunk is lost as a
whole when one of it hangs or crashes, so only those go into one that answered well before; the others are
asked alone, and so are, once, all of a chunk that was lost: then it shows whose fault it was.

Who waits is not given up: what is under way goes on between the calls, and is taken in at the next one.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from barista.forecast import tasks
from barista.forecast.tasks import Answer, Question, text
from barista.ports.forecaster import ForecastContext
from barista.values.service import ServiceId
from barista.workers import Lanes

CHUNK = 16
"""Services asked in one message."""
ALONE_SHARE, CHUNK_SHARE = 0.5, 2.0
"""Shares of the time limit that one, or a chunk, runs for before it counts as hung. A chunk has done well
before, so it is more likely to be slow."""
LOOKS = 20
"""How often in a time limit it is looked what runs."""
PATIENCE = 10
"""Time limits after which what was never seen running is given up: some executors never say what runs."""


class Silence(Enum):
    """Why there is no answer."""

    HUNG = "forecast took too long; out until it is fitted again"
    ENDED = "forecast ended its worker; out until it is fitted again"
    WAITS = "forecast waited too long for a worker"
    LOST = "forecast cut off beside one that failed; it is asked again alone"


Outcome = Answer | Silence


@dataclass(slots=True)
class _Asked:
    """Questions under way in one message, which may run for `limit_s`.

    It was asked at `asked_s`, and first seen running at `since_s` (monotonic).
    """

    questions: Sequence[Question]
    lane: Executor
    future: "Future[list[Answer]]"
    limit_s: float
    asked_s: float = field(default_factory=time.monotonic)
    since_s: float | None = None

    def is_over(self, now_s: float, patience_s: float) -> bool:
        """Whether it has run, or waited, for too long."""
        ran_s = 0.0 if self.since_s is None else now_s - self.since_s
        return ran_s >= self.limit_s or now_s - self.asked_s >= patience_s


@dataclass(slots=True)
class Asking:
    """Asks services' forecasters in the lanes of `executor`."""

    make: tasks.Make
    context: ForecastContext
    executor: Executor
    _under_way: list[_Asked] = field(default_factory=list)
    _proven: set[ServiceId] = field(default_factory=set)

    def lane(self, service: ServiceId) -> Executor:
        """Where the forecaster of `service` is asked."""
        return self.executor.of(service) if isinstance(self.executor, Lanes) else self.executor

    def waiting(self) -> frozenset[ServiceId]:
        """Services about which a question is still under way."""
        return frozenset(q.service for asked in self._under_way for q in asked.questions)

    def ask(
        self, questions: Iterable[Question], whole: Callable[[Question], Question], limit_s: float
    ) -> list[tuple[Question, Outcome]]:
        """What came within `limit_s` (wall time), also of what was asked earlier; silence of those under way.

        `whole` is asked for a question to which the state was absent, with the state in it.
        """
        until_s = time.monotonic() + limit_s
        first = self._round(questions, until_s, limit_s)
        absent = [whole(question) for question, outcome in first if _is_absent(outcome)]
        if not absent:
            return first
        again = self._round(absent, until_s, limit_s)
        anew = {question.service for question, _ in again}
        return [(q, outcome) for q, outcome in first if q.service not in anew] + again

    def ask_alone(self, service: ServiceId) -> None:
        """`service` is not asked beside others until it has answered again."""
        self._proven.discard(service)

    def _round(
        self, questions: Iterable[Question], until_s: float, limit_s: float
    ) -> list[tuple[Question, Outcome]]:
        """Ask, wait, and take in what there is."""
        found: list[tuple[Question, Outcome]] = []
        for lane, chunk in self._chunks(questions):
            try:
                future = lane.submit(tasks.answer, self.make, self.context, chunk)
            except Exception as error:
                found += _all(chunk, Answer(fault=f"forecast not accepted: {text(error)}"))
            else:
                share = CHUNK_SHARE if len(chunk) > 1 else ALONE_SHARE
                self._under_way.append(_Asked(chunk, lane, future, share * limit_s))
        self._wait(until_s, limit_s / LOOKS)
        under_way, self._under_way = self._under_way, []
        # The ones that run come last: cancelling one starts a fresh worker, which must find no other.
        for asked in sorted(under_way, key=lambda asked: asked.since_s is not None):
            found += self._outcomes(asked, limit_s)
        return found

    def _chunks(self, questions: Iterable[Question]) -> list[tuple[Executor, list[Question]]]:
        """The messages, and where each goes; those about a single service last."""
        alone: list[tuple[Executor, list[Question]]] = []
        lanes: dict[int, tuple[Executor, list[Question]]] = {}
        for question in questions:
            lane = self.lane(question.service)
            if question.service in self._proven:
                lanes.setdefault(id(lane), (lane, []))[1].append(question)
            else:
                alone.append((lane, [question]))
        chunks = [
            (lane, together[k : k + CHUNK])
            for lane, together in lanes.values()
            for k in range(0, len(together), CHUNK)
        ]
        return chunks + alone

    def _wait(self, until_s: float, look_s: float) -> None:
        """Wait for what is under way, noting every `look_s` what runs."""
        while True:
            now_s = time.monotonic()
            for asked in self._under_way:
                if asked.since_s is None and asked.future.running():
                    asked.since_s = now_s
            futures = [asked.future for asked in self._under_way if not asked.future.done()]
            if not futures or now_s >= until_s:
                return
            wait(futures, timeout=min(until_s - now_s, look_s))

    def _outcomes(self, asked: _Asked, limit_s: float) -> Sequence[tuple[Question, Outcome]]:
        """What came of one message; one that is still waited for stays under way."""
        questions, alone = asked.questions, len(asked.questions) == 1
        if asked.future.done():
            try:
                answers = asked.future.result()
            except Exception:
                self._proven.difference_update(q.service for q in questions)
                return _all(questions, Silence.ENDED if alone else Silence.LOST)
            pairs = list(zip(questions, answers, strict=True))
            self._proven.update(question.service for question, answer in pairs if answer.forecast is not None)
            return pairs
        if not asked.is_over(time.monotonic(), PATIENCE * limit_s):
            self._under_way.append(asked)
            return _all(questions, Silence.WAITS)
        asked.future.cancel()
        self._proven.difference_update(q.service for q in questions)
        if questions:
            self._wake(asked, limit_s)
        return _all(questions, Silence.HUNG if alone else Silence.LOST)

    def _wake(self, asked: _Asked, limit_s: float) -> None:
        """Let the worker that takes the place of one that was ended import what it needs, at its leisure."""
        choices = list({repr(q.choice): q.choice for q in asked.questions}.values())
        with suppress(Exception):  # an executor that takes nothing will be heard of by those who ask
            future = asked.lane.submit(tasks.get_ready, self.make, choices)
            self._under_way.append(_Asked((), asked.lane, future, PATIENCE * limit_s))


def _all(questions: Iterable[Question], outcome: Outcome) -> list[tuple[Question, Outcome]]:
    return [(question, outcome) for question in questions]


def _is_absent(outcome: Outcome) -> bool:
    return isinstance(outcome, Answer) and outcome.absent
