"""What runs forecaster plug-ins: functions that a worker process can be handed.

A plug-in is made where it runs, never in the controller: importing it may pull in torch, and it may hang.
For the same reason its state comes and goes as pickled bytes, which only workers open.

A state may be a megabyte, and what is new of a service is one number. So workers hold the states that they
moved on, by service, and are told only what was seen since; one that holds another state, or none, says
that it is `absent` and is sent it. Now and then a state is packed and sent back, so that little is to
be done again when a worker ends.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barista.forecast.ladder import fault_of
from barista.ports.forecaster import Composite, ForecastContext, Forecaster, ManyForecaster
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import PluginChoice, ServiceId

Make = Callable[[PluginChoice], Forecaster]
MOST_HELD = 2000
"""States that one worker holds at most, the latest used ones."""


@dataclass(frozen=True, slots=True)
class Question:
    """What comes for `service`? Asked of the state that `origin` names, made by `choice`.

    `state` is left out where the worker is thought to hold it. `news` follow on what the state has seen;
    after them the forecast begins `unseen` steps later, over values that are not known yet. `packed` asks
    for the state with the news in it.
    """

    service: ServiceId
    origin: str
    choice: PluginChoice
    state: bytes | None
    news: Demand
    unseen: int = 0
    packed: bool = False

    @property
    def end_s(self) -> float:
        """Where its forecast is to begin."""
        return self.news.end_s + self.unseen * self.news.step_s


@dataclass(frozen=True, slots=True)
class Answer:
    """The forecast, those of the members if there are any, the packed state if it was asked for.

    Without a forecast: `fault` says what went wrong, or the state was `absent`.
    """

    forecast: Forecast | None = None
    members: Mapping[str, Forecast] = field(default_factory=dict)
    state: bytes | None = None
    fault: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class _Held:
    origin: str
    end_s: float
    state: Any


_made: dict[tuple[Make, str], Forecaster] = {}
_held: OrderedDict[ServiceId, _Held] = OrderedDict()


def fit(
    make: Make, choice: PluginChoice, demand: Demand, context: ForecastContext, warm: bytes | None
) -> bytes:
    """The state of `choice` fitted to `demand`, starting from the state `warm` if given."""
    earlier = None if warm is None else pickle.loads(warm)  # noqa: S301  # written by this module
    return pickle.dumps(_forecaster(make, choice).fit(demand, context, earlier))


def catch_up(make: Make, choice: PluginChoice, state: bytes, news: Demand) -> bytes:
    """The `state` of `choice` moved on by `news`: what a fit is after a restart."""
    known = pickle.loads(state)  # noqa: S301  # written by this module
    return pickle.dumps(_forecaster(make, choice).update(known, news) if len(news) else known)


def get_ready(make: Make, choices: Sequence[PluginChoice]) -> list[Answer]:
    """Import what `choices` need, so that a fresh worker's first forecast is quick. Answers nothing."""
    for choice in choices:
        with suppress(Exception):  # whoever asks it will be told
            _forecaster(make, choice)
    return []


def answer(make: Make, context: ForecastContext, questions: Sequence[Question]) -> list[Answer]:
    """An answer a question, in order; what one forecaster raises costs its own service only."""
    answers: dict[int, Answer] = {}
    states: dict[int, Any] = {}
    for k, question in enumerate(questions):
        try:
            states[k] = _moved(make, question)
        except Absent:
            answers[k] = Answer(absent=True)
        except Exception as error:
            _held.pop(question.service, None)
            answers[k] = Answer(fault=text(error))
    many = _forecast_many(make, context, questions, states)
    for k, state in states.items():
        try:
            forecaster = _forecaster(make, questions[k].choice)
            made = many[k] if k in many else forecaster.forecast(state, context.steps, context.levels)
            if not isinstance(made, Forecast):
                raise TypeError(f"forecast is a {type(made).__name__}: need a Forecast")
            fault = fault_of(made, Demand(questions[k].end_s, questions[k].news.step_s, np.empty(0)), context)
            if fault is not None:
                answers[k] = Answer(fault=fault)
                continue
            held = _held[questions[k].service].state
            packed = pickle.dumps(held) if questions[k].packed else None
            answers[k] = Answer(made, _members(forecaster, state, context), packed)
        except Exception as error:
            answers[k] = Answer(fault=text(error))
    return [answers[k] for k in range(len(questions))]


def text(error: BaseException) -> str:
    """An error in one phrase."""
    return f"{type(error).__name__}: {error}"


def _moved(make: Make, question: Question) -> Any:
    """The state to forecast from. Held is the one that has seen the news. Absent when it is not here."""
    forecaster, news = _forecaster(make, question.choice), question.news
    if question.state is not None:
        state = pickle.loads(question.state)  # noqa: S301  # written by this module
    else:
        held = _held.get(question.service)
        if held is None or held.origin != question.origin or not _same(held.end_s, news):
            raise Absent
        state = held.state
    if len(news):
        state = forecaster.update(state, news)
    _held[question.service] = _Held(question.origin, news.end_s, state)
    _held.move_to_end(question.service)
    while len(_held) > MOST_HELD:
        _held.popitem(last=False)
    if question.unseen:
        gap = Demand(news.end_s, news.step_s, np.full(question.unseen, np.nan))
        state = forecaster.update(state, gap)
    return state


class Absent(Exception):
    """The state asked of is not held here."""


def _same(end_s: float, news: Demand) -> bool:
    return abs(end_s - news.start_s) < 0.5 * news.step_s


def _forecast_many(
    make: Make, context: ForecastContext, questions: Sequence[Question], states: Mapping[int, Any]
) -> dict[int, Forecast]:
    """Forecasts of those whose forecaster makes many at once; nothing of one that fails at it."""
    together: dict[str, list[int]] = {}
    for k in states:
        together.setdefault(repr(questions[k].choice), []).append(k)
    made: dict[int, Forecast] = {}
    for group in together.values():
        forecaster = _forecaster(make, questions[group[0]].choice)
        if len(group) > 1 and isinstance(forecaster, ManyForecaster):
            with suppress(Exception):  # one by one, it will show whose fault it is
                found = forecaster.forecast_many([states[k] for k in group], context.steps, context.levels)
                made |= dict(zip(group, found, strict=True))
    return made


def _members(forecaster: Forecaster, state: Any, context: ForecastContext) -> Mapping[str, Forecast]:
    if isinstance(forecaster, Composite):
        with suppress(Exception):  # what they say is only watched
            return forecaster.member_forecasts(state, context.steps, context.levels)
    return {}


def _forecaster(make: Make, choice: PluginChoice) -> Forecaster:
    # Kept between calls: finding an entry point and importing a plug-in takes longer than a forecast.
    key = (make, repr(choice))
    if key not in _made:
        _made[key] = make(choice)
    return _made[key]
