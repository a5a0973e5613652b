"""The tape: what was foreseen at each cycle of a replay, found out once and handed to whoever decides.

Forecasts do not hang on decisions. So every setting of Barista that is tried on one trace is shown
the same forecasts, and the slow part of a replay is done once; it is kept on disk for the next one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from barista.cli.adapters import Adapters
from barista.cli.compose import ControllerSpec, rules_for, watched
from barista.cli.foresight import Foresight, foresight
from barista.control.observe import observe
from barista.platforms.simulated.onlooker import Onlooker
from barista.platforms.simulated.service import SimulatedService
from barista.values.decision import Memory
from barista.values.forecast import Forecast
from barista.values.profile import ExecutionProfile
from barista.values.series import FloatArray
from barista.values.service import ServiceId
from barista.values.situation import Situation
from barista.workers import Inline


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What was said of one service, a row a forecast: `mean` (n, steps), `quantiles` (n, levels, steps).

    `heard_s` is when it was said, `origin_s` what it begins at.
    """

    heard_s: FloatArray
    origin_s: FloatArray
    step_s: float
    levels: tuple[float, ...]
    mean: FloatArray
    quantiles: FloatArray
    made_by: tuple[str, ...]

    @staticmethod
    def of(heard: Mapping[float, Forecast]) -> "Said":
        """The forecasts by the moment at which they were heard; there is one at least."""
        made = list(heard.values())
        return Said(
            heard_s=np.array(list(heard)),
            origin_s=np.array([forecast.origin_s for forecast in made]),
            step_s=made[0].step_s,
            levels=made[0].levels,
            mean=np.array([forecast.mean for forecast in made]),
            quantiles=np.array([forecast.quantiles for forecast in made]),
            made_by=tuple(forecast.made_by for forecast in made),
        )

    def at(self, now_s: float) -> Forecast | None:
        """What was said last at `now_s`; None before the first word."""
        row = int(np.searchsorted(self.heard_s, now_s + 1e-6, side="right")) - 1
        if row < 0:
            return None
        return Forecast(
            float(self.origin_s[row]),
            self.step_s,
            tuple(self.mean[row].tolist()),
            self.levels,
            tuple(map(tuple, self.quantiles[row].tolist())),
            self.made_by[row],
        )


@dataclass(frozen=True, slots=True)
class Tape:
    """What was said of each service."""

    said: Mapping[ServiceId, Said]

    def foresight(self) -> Foresight:
        """The foresight that says it again."""
        return Foresight(self._foresee)

    def _foresee(self, situation: Situation) -> dict[ServiceId, Forecast]:
        heard = {
            view.service.id: self.said[view.service.id].at(situation.at_s)
            for view in situation.services
            if view.service.id in self.said
        }
        return {service: forecast for service, forecast in heard.items() if forecast is not None}

    def write(self, path: Path) -> None:
        """Keep it at `path`."""
        rows = {
            f"{number}/{field}": getattr(said, field)
            for number, said in enumerate(self.said.values())
            for field in Said.__slots__
        }
        np.savez_compressed(path, services=np.array(list(self.said)), **rows)

    @staticmethod
    def read(path: Path) -> "Tape":
        """The one kept at `path`."""
        with np.load(path) as kept:
            said = {}
            for number, service in enumerate(kept["services"].tolist()):
                row = {field: kept[f"{number}/{field}"] for field in Said.__slots__}
                row |= {"step_s": float(row["step_s"]), "levels": tuple(row["levels"].tolist())}
                said[ServiceId(service)] = Said(**(row | {"made_by": tuple(row["made_by"].tolist())}))
        return Tape(said)


def record(
    spec: ControllerSpec,
    measured: Sequence[ExecutionProfile],
    services: Sequence[SimulatedService],
    span_s: tuple[float, float],
    levels: Sequence[float] = (),
    progress: Callable[[float], None] | None = None,
) -> Tape:
    """What the forecasters of `spec` say at each cycle within `span_s`, with quantiles at `levels` too.

    `progress` hears every moment reached.
    """
    settings = spec.parsed()
    seen = watched(settings, measured)
    rules, control = rules_for(settings, seen), settings.control
    onlooker, here = Onlooker(services, span_s[0]), Inline()
    adapters = Adapters(onlooker, onlooker, here, here, here)
    ahead = foresight(
        settings, rules, lambda: seen, adapters, calendar=spec.calendar, seed=spec.seed, levels=levels
    )
    heard: dict[ServiceId, dict[float, Forecast]] = {}
    for now_s in np.arange(*span_s, control.cycle_s).tolist():
        if ahead.learn is not None:
            ahead.learn(now_s)
        situation = observe(seen, onlooker, onlooker, Memory(), now_s, control.window_s, rules.horizon.step_s)
        for service, forecast in ahead.foresee(situation).items():
            heard.setdefault(service, {})[now_s] = forecast
        if progress is not None:
            progress(now_s)
    return Tape({service: Said.of(made) for service, made in heard.items()})
