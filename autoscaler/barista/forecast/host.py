"""The forecaster host: runs forecasters so that none of them can cost more than foresight.

A forecaster that raises, hangs, crashes, says something impossible or is not fitted yet is passed over
for the next rung of the ladder, and the fault is on record. The rungs run here, on numpy; what is
plugged in runs in workers: fits in `learner`, forecasts in `executor`, so that a fit of minutes does
not stand in the way of its neighbours' forecasts. One that had to wait, or was cut off beside another that
failed, is answered by what it said a moment ago.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from barista.forecast import tasks
from barista.forecast.asking import Asking, Outcome, Silence
from barista.forecast.effects import with_effects, without_effects
from barista.forecast.fitting import Fit, FitFailed, Fitted
from barista.forecast.history import after, joined, on_grid, unseen_until
from barista.forecast.ladder import is_rung, stand_in
from barista.forecast.rungs import SEASONS_KEPT
from barista.forecast.store import StateStore, Stored
from barista.forecast.tasks import Question, text
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import PluginChoice, Service, ServiceId

LATE_STEPS = 2
"""Steps without news after which a forecast starts at now, over values that nobody saw; and for which what
was said stands when there was no answer."""
KEPT_STEPS = 1000
"""Steps of history that are kept besides the seasons."""
PACKED_STEPS = 16
"""Steps after which a state comes back from its worker, later by up to as many, for not all at once."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The last forecast of the chosen forecaster, from which state, which had seen demand until `seen_s`."""

    choice: PluginChoice
    forecast: Forecast
    members: Mapping[str, Forecast]
    origin: str
    seen_s: float

    def answers(self, question: Question) -> bool:
        """Whether this is what `question` would be answered by again."""
        known = self.origin, self.seen_s, self.forecast.origin_s
        return known == (question.origin, question.news.end_s, question.end_s)


@dataclass(frozen=True, slots=True)
class _StoodIn:
    """What a rung said in place of `choice` after demand until `seen_s`, from `origin_s` on."""

    choice: PluginChoice
    seen_s: float
    origin_s: float
    forecast: Forecast | None


@dataclass(slots=True)
class _Track:
    """What the host keeps of one service."""

    seen: Demand | None = None
    fitted: Fitted | None = None
    fit: Fit | None = None
    said: _Said | None = None
    stood_in: _StoodIn | None = None
    fit_fault: str = ""
    forecast_fault: str = ""


@dataclass(slots=True)
class ForecasterHost:
    """Keeps history and fitted states by service; says what demand comes.

    `make` turns a choice into a forecaster and is picklable: it is called in the workers. Without
    `learner`, fits share `executor` with the forecasts; `Lanes` there let states stay where they are used.
    `time_limit_s` bounds a fit (by the time that `collect` is told), `forecast_limit_s` how long the
    forecasts of one cycle are waited for (wall time). `store` keeps fitted states over a restart.
    """

    make: tasks.Make
    context: ForecastContext
    step_s: float
    executor: Executor
    learner: Executor | None = None
    time_limit_s: float = 600.0
    forecast_limit_s: float = 2.0
    store: StateStore | None = None
    _asking: Asking = field(init=False)
    _tracks: dict[ServiceId, _Track] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asking = Asking(self.make, self.context, self.executor)

    def observe(self, service: ServiceId, recent: Demand) -> None:
        """Take in `recent` demand; only steps beyond what is known are news."""
        track, news = self._track(service), self._plain(recent)
        if track.seen is not None:
            track.seen = self._kept(joined(track.seen, news))
        elif np.isfinite(news.values).any():
            track.seen = self._kept(news)

    def has_seen(self, service: ServiceId) -> bool:
        """Whether any demand of `service` is known."""
        return service in self._tracks and self._tracks[service].seen is not None

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:
        """Order a fit of `service` on its history `demand`, warm from its state; never waits for it.

        A fit that is still under way is let finish, and none is ordered. After a restart the stored state
        catches up with `demand` instead.
        """
        track, history = self._track(service.id), self._plain(demand)
        if not np.isfinite(history.values).any():
            return
        track.seen = self._kept(history if track.seen is None else joined(history, track.seen))
        if track.fit is not None or is_rung(service.forecaster):
            return
        choice, known = service.forecaster, track.fitted
        warm = known.state if known is not None and known.choice == choice else None
        stored = self._stored(service, history) if known is None else None
        self._order(service.id, choice, history, now_s, warm=warm, stored=stored)

    def fits_under_way(self) -> int:
        """How many fits were ordered and have not come to an end."""
        return sum(track.fit is not None for track in self._tracks.values())

    def collect(self, now_s: float) -> None:
        """Take in the fits that are finished; give up on those over their time limit."""
        for service, track in self._tracks.items():
            fit = track.fit
            if fit is None:
                continue
            lane = self._asking.lane(service)
            try:
                fitted = fit.move_on(self.make, self.context, lane, now_s, self.time_limit_s)
            except Exception as error:
                reason = str(error) if isinstance(error, FitFailed) else text(error)
                track.fit, track.fit_fault = None, f"{fit.choice.name}: fit failed: {reason}"
                if fit.catches_up:
                    self._order(service, fit.choice, fit.demand, now_s)
                continue
            if fitted is not None:
                track.fitted, track.fit, track.fit_fault = fitted, None, ""
                self._asking.ask_alone(service)
                self._store(service, fitted)

    def foresee(self, services: Sequence[Service], now_s: float) -> Mapping[ServiceId, Forecast]:
        """What demand comes, for every service of which anything was ever seen."""
        upcoming = {
            service.id: self._upcoming(track.seen, now_s)
            for service in services
            if (track := self._track(service.id)).seen is not None
        }
        known = [service for service in services if service.id in upcoming]
        self._ask(known, upcoming)
        forecasts: dict[ServiceId, Forecast] = {}
        for service in known:
            demand = upcoming[service.id]
            made = self._said(service, demand) or self._stand_in(service, demand)
            if made is not None:
                forecasts[service.id] = with_effects(made, self.context.calendar)
        return forecasts

    def members(self, service: ServiceId) -> Mapping[str, Forecast]:
        """What the members of the chosen forecaster said last, by name; nothing where it is not composed."""
        said = self._track(service).said
        members = {} if said is None else said.members
        return {name: with_effects(made, self.context.calendar) for name, made in members.items()}

    def keep(self, services: Collection[ServiceId]) -> None:
        """Drop what is kept of all other services."""
        for gone in self._tracks.keys() - services:
            track = self._tracks.pop(gone)
            if track.fit is not None:
                track.fit.under_way.cancel()

    def health(self) -> Mapping[ServiceId, str]:
        """Faults of each service's forecaster that no success has followed yet."""
        notes = {} if self.store is None else self.store.notes
        texts = {
            service: "; ".join(filter(None, (track.fit_fault, track.forecast_fault, notes.get(service))))
            for service, track in self._tracks.items()
        }
        return {service: text for service, text in texts.items() if text}

    def _track(self, service: ServiceId) -> _Track:
        return self._tracks.setdefault(service, _Track())

    def _plain(self, demand: Demand) -> Demand:
        """`demand` on the host's grid, as it would have been without the events that state an effect."""
        return without_effects(on_grid(demand, self.step_s), self.context.calendar)

    def _kept(self, seen: Demand) -> Demand:
        longest = max(self.context.calendar.season_steps(self.step_s), default=0)
        return seen.last(SEASONS_KEPT * longest + KEPT_STEPS)

    def _upcoming(self, seen: Demand, now_s: float) -> Demand:
        """The demand that a forecast follows on."""
        late = now_s - seen.end_s >= LATE_STEPS * self.step_s
        return unseen_until(seen, now_s) if late else seen

    def _ask(self, services: Iterable[Service], upcoming: Mapping[ServiceId, Demand]) -> None:
        """Ask the chosen forecasters that are fitted, and have not said already what comes; take it in."""
        waiting = self._asking.waiting()
        questions = []
        for service in services:
            track = self._track(service.id)
            known, seen = track.fitted, track.seen
            if seen is None or known is None or known.choice != service.forecaster or service.id in waiting:
                continue
            question = _question(service.id, known, seen, upcoming[service.id].end_s)
            if track.said is None or not track.said.answers(question):
                questions.append(question)
        for question, outcome in self._asking.ask(questions, self._whole, self.forecast_limit_s):
            track = self._track(question.service)
            # What a state says that was replaced meanwhile is of no use.
            if track.fitted is not None and track.fitted.origin == question.origin:
                self._take_in(track, track.fitted, question, outcome)

    def _whole(self, question: Question) -> Question:
        """`question`, for a worker that does not hold the state."""
        track = self._track(question.service)
        if track.fitted is None or track.seen is None:
            return question
        return _question(question.service, replace(track.fitted, held_s=None), track.seen, question.end_s)

    def _take_in(self, track: _Track, known: Fitted, question: Question, outcome: Outcome) -> None:
        """What came of a `question`: a forecast, and how far its state is; or a fault, on record."""
        if isinstance(outcome, Silence):
            track.forecast_fault = f"{known.choice.name}: {outcome.value}"
            if outcome in (Silence.HUNG, Silence.ENDED):
                # It would do so again each cycle, and the others would pay for it.
                track.fitted = track.said = None
                if self.store is not None:
                    self.store.remove(question.service)
        elif outcome.forecast is None:
            track.forecast_fault = f"{known.choice.name}: {outcome.fault}"
            track.fitted, track.said = replace(known, held_s=None), None
        else:
            seen_s = question.news.end_s
            track.forecast_fault = ""
            track.said = _Said(known.choice, outcome.forecast, outcome.members, known.origin, seen_s)
            track.fitted = known.moved_on(seen_s, outcome.state)
            if outcome.state is not None:
                self._store(question.service, track.fitted)

    def _said(self, service: Service, upcoming: Demand) -> Forecast | None:
        """What the chosen forecaster of `service` said, if that was only a moment ago."""
        said = self._track(service.id).said
        if said is None or said.choice != service.forecaster:
            return None
        return said.forecast if upcoming.end_s - said.forecast.origin_s <= LATE_STEPS * self.step_s else None

    def _stand_in(self, service: Service, upcoming: Demand) -> Forecast | None:
        """What the rungs say in place of the chosen forecaster of `service`; said again without news."""
        track = self._track(service.id)
        seen_s = upcoming.end_s if track.seen is None else track.seen.end_s
        known, of = track.stood_in, (service.forecaster, seen_s, upcoming.end_s)
        if known is None or (known.choice, known.seen_s, known.origin_s) != of:
            known = _StoodIn(*of, stand_in(service.forecaster, upcoming, self.context))
            track.stood_in = known
        return known.forecast

    def _order(
        self,
        service: ServiceId,
        choice: PluginChoice,
        demand: Demand,
        now_s: float,
        *,
        warm: bytes | None = None,
        stored: Stored | None = None,
    ) -> None:
        """Order a fit of `service` to `demand`, or that its `stored` state catches up with it."""
        track = self._track(service)
        learner = self.learner or self.executor
        try:
            if stored is None:
                future = learner.submit(tasks.fit, self.make, choice, demand, self.context, warm)
            else:
                news = after(demand, stored.end_s)
                future = learner.submit(tasks.catch_up, self.make, choice, stored.state, news)
        except Exception as error:
            track.fit_fault = f"{choice.name}: fit not accepted: {text(error)}"
        else:
            track.fit = Fit(service, choice, demand, future, now_s, catches_up=stored is not None)

    def _stored(self, service: Service, history: Demand) -> Stored | None:
        """The stored state of `service`, if its end lies within `history`."""
        if self.store is None:
            return None
        found = self.store.read(service.id, service.forecaster, self.context, self.step_s)
        return found if found is not None and history.start_s < found.end_s <= history.end_s else None

    def _store(self, service: ServiceId, fitted: Fitted) -> None:
        if self.store is not None:
            stored = Stored(fitted.state, fitted.end_s)
            self.store.write(service, fitted.choice, self.context, self.step_s, stored)


def _question(service: ServiceId, fitted: Fitted, seen: Demand, end_s: float) -> Question:
    """What comes from `end_s` on, asked of the state `fitted` after what was `seen`."""
    held = fitted.held_s is not None
    news = after(seen, fitted.held_s if fitted.held_s is not None else fitted.end_s)
    steps = round((news.end_s - fitted.end_s) / news.step_s)
    return Question(
        service=service,
        origin=fitted.origin,
        choice=fitted.choice,
        state=None if held else fitted.state,
        news=news,
        unseen=round((end_s - news.end_s) / news.step_s),
        packed=steps >= PACKED_STEPS + crc32(service.encode()) % PACKED_STEPS,
    )
