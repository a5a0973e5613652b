"""ScalingPlan: the resource that bears the name of its service, one for each that opted in.

Its spec may say what the service's annotations say. Its status is where Barista tells what it
foresees, chose and did, and keeps what it needs to give everything back.
"""

from datetime import datetime
from typing import Self

from pydantic import Field

from barista.platforms.knative.annotations import Choices, duration_ms
from barista.platforms.knative.bounds import Bounds
from barista.platforms.knative.conditions import Condition
from barista.platforms.knative.schema import Duration, Name, Part, Resource
from barista.values.service import Authority


class ScalingPlanSpec(Part):
    """What a service's annotations may say too; an annotation counts more."""

    latency_slo: Duration | None = Field(None, description="latency bound, like 250ms")
    latency_percentile: float | None = Field(None, ge=1, lt=100, description="that the bound holds for")
    flavors: tuple[Name, ...] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="that it may use",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    forecaster: Name | None = None
    planner: Name | None = None
    authority: Authority | None = Field(None, description="how far Barista may go")
    profile: Name | None = Field(None, description="the model of its execution profiles")
    priority: float | None = Field(None, gt=0, description="what its requests count where room is short")
    paused: bool | None = Field(None, description="hold everything as it is")

    def choices(self) -> Choices:
        """As the choices of a service."""
        return Choices(
            latency_slo_ms=duration_ms(self.latency_slo) if self.latency_slo else None,
            latency_percentile=self.latency_percentile,
            flavors=self.flavors,
            forecaster=self.forecaster,
            planner=self.planner,
            authority=self.authority,
            profile=self.profile,
            priority=self.priority,
            paused=self.paused,
        )


class ForecastStatus(Part):
    """Demand foreseen, in requests per second, by step."""

    made_by: str
    origin: datetime
    step_seconds: float
    mean: tuple[float, ...]
    level: float = Field(description="of quantile: capacity is bought for it")
    quantile: tuple[float, ...]


class ReasonStatus(Part):
    """One step from what the plan said to what was applied."""

    rail: str
    text: str
    binds: bool = False


class ChoiceStatus(Part):
    """What was decided, in replicas by flavor, and by whom it was planned."""

    at: datetime
    planner: str
    raw: dict[str, int] = Field(description="as the plan has it")
    bounded: dict[str, int] = Field(description="after the guard rails")
    final: dict[str, int] = Field(description="under its authority")
    reasons: tuple[ReasonStatus, ...] = ()


class ScaleBounds(Part):
    """A Revision's scale annotations; absent where they are."""

    min_scale: int | None = None
    max_scale: int | None = None

    @classmethod
    def of(cls, bounds: Bounds) -> Self:
        """The part that says what the value `bounds` says."""
        return cls(min_scale=bounds.least, max_scale=bounds.most)

    def bounds(self) -> Bounds:
        """As a value."""
        return Bounds(self.min_scale, self.max_scale)


class RevisionStatus(Part):
    """A Revision whose bounds Barista wrote: what stood there before, and what was written last."""

    name: str
    original: ScaleBounds
    written: ScaleBounds


class ScalingPlanStatus(Part):
    """What Barista foresees, chose and did, and what it found before it did."""

    observed_generation: int | None = None
    authority: Authority | None = Field(None, description="that was used last")
    flavor: str | None = Field(None, description="that new pods are given at admission")
    flavor_turn: int | None = Field(
        None, description="counts the changes of its flavor family: pods of earlier turns leave first"
    )
    replicas: int | None = Field(None, description="planned for the whole service")
    forecast: ForecastStatus | None = None
    choice: ChoiceStatus | None = None
    revisions: tuple[RevisionStatus, ...] = Field((), description="to give back on opt-out")
    conditions: tuple[Condition, ...] = Field(
        (), json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    )


class ScalingPlanResource(Resource):
    """The plan for the service of the same name."""

    kind_name = "ScalingPlan"
    plural = "scalingplans"

    spec: ScalingPlanSpec = ScalingPlanSpec()
    status: ScalingPlanStatus = ScalingPlanStatus()
