"""Conditions: the aspects of a resource's state, as Kubernetes tells them."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from barista.platforms.knative.schema import Part


class ConditionType(StrEnum):
    """The conditions of a ScalingPlan."""

    READY = "Ready"
    METRICS_AVAILABLE = "MetricsAvailable"
    FORECAST_READY = "ForecastReady"
    OPTIMIZATION_SUCCEEDED = "OptimizationSucceeded"
    APPLIED = "Applied"


class Truth(StrEnum):
    """The status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Part):
    """One aspect of a resource's state."""

    type: str
    status: Truth
    reason: str = Field("", description="one word, for machines")
    message: str = Field("", description="one line, for people")
    last_transition_time: datetime
    observed_generation: int | None = None


def with_condition(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """`conditions` with `new` in the place of its type.

    The time of its transition is the old one's while the status is.
    """
    by_type = {condition.type: condition for condition in conditions}
    old = by_type.get(new.type)
    if old is not None and old.status is new.status:
        new = new.model_copy(update={"last_transition_time": old.last_transition_time})
    by_type[new.type] = new
    return tuple(by_type.values())
