"""What goes over the wire to a forecaster that runs elsewhere, and its published JSON schema.

The protocol has no state: one POST carries everything that there is to know, one reply the forecast.
So an outside forecaster can be restarted, scaled and replaced like any web service.

    python -m barista.forecast.wire > docs/forecaster-webhook.schema.json
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from barista.values.series import Calendar

Finite = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Message(BaseModel):
    # Unknown fields are passed over: either side may say more than the other knows yet.
    model_config = ConfigDict(frozen=True)


class WireDemand(_Message):
    """Demand seen so far, on a regular step."""

    start_s: Finite = Field(description="start of the first step, in seconds since the epoch")
    step_s: Finite = Field(gt=0, description="length of a step in seconds")
    values: list[Rate | None] = Field(
        description="mean requests/s of each step; null where nothing was seen, which is not zero"
    )


class WireEvent(_Message):
    """Something that the operator knows of, in the past or to come; from `start` until before `end`."""

    start: str = Field(description="local time, ISO 8601 without an offset")
    end: str = Field(description="local time, ISO 8601 without an offset")
    name: str = Field(description="events of one name are alike")


class WireCalendar(_Message):
    """How the times of `demand` read on a wall calendar."""

    time_zone: str = Field(description="IANA name of the zone that local times are in")
    country: str = Field(description="ISO code whose public holidays count (DE, DE-BY); empty for none")
    seasons_s: list[Finite] = Field(description="lengths of the seasons, in calendar seconds")
    events: list[WireEvent] = Field(
        description="to learn from; those whose effect the operator states are not among them: it is taken"
        " out of `demand` beforehand, and put on the reply"
    )
    rate: Finite = Field(
        description="1; above it where a past is replayed faster:"
        " calendar time (UTC) = calendar_s + rate * (time - clock_s)"
    )
    clock_s: Finite
    calendar_s: Finite

    @staticmethod
    def of(calendar: Calendar) -> "WireCalendar":
        """`calendar`, as it is told to others."""
        return WireCalendar(
            time_zone=calendar.time_zone,
            country=calendar.country,
            seasons_s=list(calendar.seasons_s),
            events=[
                WireEvent(start=event.start.isoformat(), end=event.end.isoformat(), name=event.name)
                for event in calendar.events
                if event.effect is None
            ],
            rate=calendar.rate,
            clock_s=calendar.clock_s,
            calendar_s=calendar.calendar_s,
        )


class ForecastQuestion(_Message):
    """POST: what comes in the `steps` after the last value of `demand`?"""

    demand: WireDemand
    calendar: WireCalendar
    steps: int = Field(ge=1, description="number of steps to forecast")
    levels: list[float] = Field(description="quantiles to state, rising, between 0 and 1")
    seed: int = Field(description="for whatever is left to chance: the same question, the same reply")


class ForecastReply(_Message):
    """200: the forecast, in requests/s."""

    mean: list[Rate] = Field(description="one value per step")
    quantiles: list[list[Rate]] = Field(
        description="one row per level, in the order of `levels`, with one value per step; rows do not cross"
    )


def schema() -> dict[str, Any]:
    """JSON schema of question and reply, as published in ``docs/forecaster-webhook.schema.json``."""
    _, definitions = models_json_schema(
        [(ForecastQuestion, "validation"), (ForecastReply, "validation")], title="Forecaster webhook"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **definitions}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
