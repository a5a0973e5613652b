"""Forecaster: the plug-in that says how much demand comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from barista.values.forecast import Forecast
from barista.values.series import Calendar, Demand


@dataclass(frozen=True, slots=True)
class ForecastContext:
    """What a forecaster may know besides the demand: calendar, seasons, and a seed for its chance.

    `steps` is the longest horizon it will be asked for, `levels` the quantiles.
    """

    calendar: Calendar = field(default_factory=Calendar)
    steps: int = 12
    levels: tuple[float, ...] = (0.05, 0.5, 0.95)
    seed: int = 0


@runtime_checkable
class Forecaster(Protocol):
    """A forecaster, made from its options by an entry point of group ``barista.forecasters``.

    Its state is a picklable value: it is fitted elsewhere, stored, and reloaded after a restart.
    All methods are pure up to `context.seed`; a state never knows later values than it was given.
    """

    name: str

    def fit(self, demand: Demand, context: ForecastContext, warm: Any | None = None) -> Any:
        """Fit to `demand` and return the state; `warm` is an earlier state to start from.

        ValueError when the demand is too short or has too few values, saying how many it needs.
        """
        ...

    def update(self, state: Any, new_values: Demand) -> Any:
        """The state moved on by `new_values` (they follow on what it has seen), without refitting."""
        ...

    def forecast(self, state: Any, steps: int, levels: tuple[float, ...]) -> Forecast:
        """Demand over the `steps` after the last value seen, with quantiles at `levels`."""
        ...


@runtime_checkable
class ManyForecaster(Forecaster, Protocol):
    """A forecaster that can forecast many states at once, faster than one by one."""

    def forecast_many(self, states: Sequence[Any], steps: int, levels: tuple[float, ...]) -> list[Forecast]:
        """One forecast a state, in order; equal to calling `forecast` on each."""
        ...


@runtime_checkable
class Composite(Forecaster, Protocol):
    """A forecaster made of others, which tells what each of them says: they are judged beside it."""

    def member_forecasts(self, state: Any, steps: int, levels: tuple[float, ...]) -> Mapping[str, Forecast]:
        """What each member says from where `state` stands, by name; those that are silent are left out."""
        ...
