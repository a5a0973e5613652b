"""The forecaster host: runs forecasters so that none of them can cost more than foresight.

A forecaster that raises, hangs, crashes, says something impossible or is not fitted yet is passed over
for the next rung of the ladder, and the fault is on record. The rungs run here, on numpy; what is
plugged in runs in workers: fits in `learner`, forecasts in `executor`, so that a fit of minutes does
not stand in the way of its neighbours' forecasts.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field

import numpy as np

from barista.forecast import tasks
from barista.forecast.effects import with_effects, without_effects
from barista.forecast.history import after, joined, on_grid, unseen_until
from barista.forecast.ladder import fault_of, is_rung, stand_in
from barista.forecast.rungs import SEASONS_KEPT
from barista.ports.forecaster import ForecastContext
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import PluginChoice, Service, ServiceId

LATE_STEPS = 2
"""Steps without news after which a forecast starts at now, over values that nobody saw."""
KEPT_STEPS = 1000
"""Steps of history that are kept besides the seasons."""
QUEUE_PATIENCE = 10
"""Time limits of a fit after which one that was never seen running is given up."""

HUNG = "forecast took too long; out until it is fitted again"
UNHEARD = "forecast waited too long for a worker"

Answer = tuple[bytes, Forecast]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A state, the choice that made it, and the end of the demand it has seen."""

    choice: PluginChoice
    state: bytes
    end_s: float


@dataclass(slots=True)
class _Fit:
    """A fit under way, then its proof: a first forecast made from it where forecasts are made.

    By then the worker there has imported what it needs, which may take longer than a forecast may.
    `ordered_s` is when what is under way was ordered, `started_s` when it was first seen running (waiting
    in a queue is no fault for long; some executors never say that anything runs).
    """

    choice: PluginChoice
    demand: Demand
    state: "Future[bytes]"
    ordered_s: float
    proof: "Future[Answer] | None" = None
    started_s: float | None = None

    @property
    def under_way(self) -> "Future[bytes] | Future[Answer]":
        """What is waited for."""
        return self.proof or self.state


@dataclass(slots=True)
class _Track:
    """What the host keeps of one service."""

    seen: Demand | None = None
    fitted: _Fitted | None = None
    fit: _Fit | None = None
    fit_fault: str = ""
    forecast_fault: str = ""


@dataclass(slots=True)
class ForecasterHost:
    """Keeps history and fitted states by service; says what demand comes.

    `make` turns a choice into a forecaster and is picklable: it is called in the workers. Without
    `learner`, fits share `executor` with the forecasts. `time_limit_s` bounds a fit (by the time that
    `collect` is told), `forecast_limit_s` the forecasts of one cycle together (wall time).
    """

    make: tasks.Make
    context: ForecastContext
    step_s: float
    executor: Executor
    learner: Executor | None = None
    time_limit_s: float = 600.0
    forecast_limit_s: float = 2.0
    _tracks: dict[ServiceId, _Track] = field(default_factory=dict)

    def observe(self, service: ServiceId, recent: Demand) -> None:
        """Take in `recent` demand; only steps beyond what is known are news."""
        track, news = self._track(service), self._plain(recent)
        if track.seen is not None:
            track.seen = self._kept(joined(track.seen, news))
        elif np.isfinite(news.values).any():
            track.seen = self._kept(news)

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:
        """Order a fit of `service` on its history `demand`, warm from its state; never waits for it.

        A fit that is still under way is let finish, and none is ordered.
        """
        track, history = self._track(service.id), self._plain(demand)
        if not np.isfinite(history.values).any():
            return
        track.seen = self._kept(history if track.seen is None else joined(history, track.seen))
        if track.fit is not None or is_rung(service.forecaster):
            return
        known = track.fitted
        warm = known.state if known is not None and known.choice == service.forecaster else None
        arguments = (self.make, service.forecaster, history, self.context, warm)
        try:
            future = (self.learner or self.executor).submit(tasks.fit, *arguments)
        except Exception as error:
            track.fit_fault = f"{service.forecaster.name}: fit not accepted: {_text(error)}"
        else:
            track.fit = _Fit(service.forecaster, history, future, ordered_s=now_s)

    def collect(self, now_s: float) -> None:
        """Take in the fits that are finished; give up on those over their time limit."""
        for track in self._tracks.values():
            fit = track.fit
            if fit is None:
                continue
            try:
                self._move_on(track, fit, now_s)
            except Exception as error:
                track.fit = None
                track.fit_fault = f"{fit.choice.name}: fit failed: {_text(error)}"

    def foresee(self, services: Sequence[Service], now_s: float) -> Mapping[ServiceId, Forecast]:
        """What demand comes, for every service of which anything was ever seen."""
        upcoming = {
            service.id: self._upcoming(track.seen, now_s)
            for service in services
            if (track := self._track(service.id)).seen is not None
        }
        forecasts = self._by_choice([s for s in services if s.id in upcoming], upcoming)
        for service in services:
            if service.id in upcoming and service.id not in forecasts:
                made = stand_in(service.forecaster, upcoming[service.id], self.context)
                if made is not None:
                    forecasts[service.id] = made
        return {each: with_effects(made, self.context.calendar) for each, made in forecasts.items()}

    def health(self) -> Mapping[ServiceId, str]:
        """Faults of each service's forecaster that no success has followed yet."""
        texts = {
            service: "; ".join(filter(None, (track.fit_fault, track.forecast_fault)))
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

    def _move_on(self, track: _Track, fit: _Fit, now_s: float) -> None:
        if fit.proof is None and fit.state.done():
            nothing = Demand(fit.demand.end_s, self.step_s, np.empty(0))
            arguments = (self.make, fit.choice, fit.state.result(), nothing, self.context)
            fit.proof = self.executor.submit(tasks.advance, *arguments)
            fit.ordered_s, fit.started_s = now_s, None
        if fit.proof is not None and fit.proof.done():
            state, forecast = fit.proof.result()
            fault = fault_of(forecast, fit.demand, self.context)
            if fault is not None:
                raise ValueError(fault)
            track.fitted = _Fitted(fit.choice, state, fit.demand.end_s)
            track.fit, track.fit_fault = None, ""
        elif fit.started_s is None and fit.under_way.running():
            fit.started_s = now_s
        elif fit.started_s is not None and now_s - fit.started_s > self.time_limit_s:
            fit.under_way.cancel()
            raise TimeoutError(f"took over {self.time_limit_s:g} s")
        elif now_s - fit.ordered_s > QUEUE_PATIENCE * self.time_limit_s:
            fit.under_way.cancel()
            raise TimeoutError(f"no answer {QUEUE_PATIENCE * self.time_limit_s:g} s after it was ordered")

    def _by_choice(
        self, services: Sequence[Service], upcoming: Mapping[ServiceId, Demand]
    ) -> dict[ServiceId, Forecast]:
        """Forecasts of the chosen forecasters that are fitted, and answer in time and in order."""
        asked: dict[ServiceId, tuple[_Fitted, Future[Answer]]] = {}
        for service in services:
            track = self._track(service.id)
            known = track.fitted
            if known is None or known.choice != service.forecaster:
                continue
            news = after(upcoming[service.id], known.end_s)
            arguments = (self.make, known.choice, known.state, news, self.context)
            try:
                asked[service.id] = known, self.executor.submit(tasks.advance, *arguments)
            except Exception as error:
                track.forecast_fault = f"{known.choice.name}: forecast not accepted: {_text(error)}"
        late = self._late([future for _, future in asked.values()])
        forecasts: dict[ServiceId, Forecast] = {}
        for service_id, (known, future) in asked.items():
            track = self._track(service_id)
            try:
                forecasts[service_id] = self._answer(track, known, future, upcoming[service_id])
                track.forecast_fault = ""
            except Exception as error:
                track.forecast_fault = f"{known.choice.name}: {late.get(future) or _text(error)}"
                if late.get(future) == HUNG:
                    # It would hang again each cycle and keep the others waiting.
                    track.fitted = None
        return forecasts

    def _late(self, futures: Sequence["Future[Answer]"]) -> dict["Future[Answer]", str]:
        """Wait for `futures` within the limit; what became of those that are late. They are cancelled."""
        _, late = wait(futures, timeout=self.forecast_limit_s)
        texts = {future: HUNG if future.running() else UNHEARD for future in late}
        # The one that runs comes last: cancelling it starts a fresh worker, which must find no other.
        for future in sorted(late, key=lambda future: texts[future] == HUNG):
            future.cancel()
        return texts

    def _answer(self, track: _Track, known: _Fitted, future: "Future[Answer]", upcoming: Demand) -> Forecast:
        """The forecast of a finished future, its state taken in; raises when it cannot be trusted."""
        state, forecast = future.result()
        fault = fault_of(forecast, upcoming, self.context)
        if fault is not None:
            raise ValueError(fault)
        if upcoming is track.seen:
            track.fitted = _Fitted(known.choice, state, upcoming.end_s)
        return forecast


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
