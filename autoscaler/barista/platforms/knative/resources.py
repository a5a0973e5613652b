"""Barista's catalogue in the cluster: `Flavor` and `ExecutionProfile`, and what they are as values.

Their schemas in the cluster are generated from these models (`crds`), so there is one truth about
their shape.
"""

from enum import StrEnum
from typing import Literal, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt

from barista.platforms.knative.quantities import amount, cpu_text, gib, memory_text
from barista.platforms.knative.schema import (
    RULES,
    Metadata,
    Name,
    Part,
    Quantity,
    Resource,
    ResourceError,
    rule,
)
from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile, Fit, Interval

NVIDIA_GPU = "nvidia.com/gpu"


class Effect(StrEnum):
    """What a taint does."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Part):
    """A pod's toleration of a node's taint."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Effect | None = None
    toleration_seconds: int | None = None


class FlavorSpec(Part):
    """A resource configuration of a replica, and its price."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule("quantity(string(self.cpu)).isGreaterThan(quantity('0'))", "cpu must be above 0"),
                rule("quantity(string(self.memory)).isGreaterThan(quantity('0'))", "memory must be above 0"),
            ]
        }
    )

    pool: Name = Field(description="the node pool whose capacity its replicas share")
    cpu: Quantity = Field(description="of the user container, like 2 or 500m")
    memory: Quantity = Field(description="of the user container, like 4Gi")
    gpu: NonNegativeInt = Field(0, description="devices of gpuResource")
    gpu_resource: str = Field(NVIDIA_GPU, description="the resource name of its devices")
    cost_per_hour: float = Field(ge=0, description="of one replica, in the operator's currency")
    family: Name | None = Field(
        None, description="flavors of a family have the same model workers: a pod is resized between them"
    )
    node_selector: dict[str, str] = Field({}, description="labels of the nodes of its pool")
    tolerations: tuple[Toleration, ...] = Field((), max_length=32, description="of those nodes' taints")


class FlavorResource(Resource):
    """A flavor of the operator's catalogue."""

    kind_name = "Flavor"
    plural = "flavors"

    spec: FlavorSpec

    @classmethod
    def of(cls, flavor: Flavor) -> Self:
        """The object that says what the value `flavor` says."""
        spec = FlavorSpec(
            pool=flavor.pool,
            cpu=cpu_text(flavor.cpu),
            memory=memory_text(flavor.memory_gib),
            gpu=int(flavor.gpu),
            cost_per_hour=flavor.cost_per_hour,
            family=flavor.family,
        )
        return cls(metadata=Metadata(name=flavor.name), spec=spec)

    def flavor(self) -> Flavor:
        """As a value."""
        spec = self.spec
        return Flavor(
            name=self.metadata.name,
            pool=spec.pool,
            cpu=amount(spec.cpu),
            memory_gib=gib(spec.memory),
            cost_per_hour=spec.cost_per_hour,
            gpu=float(spec.gpu),
            family=spec.family or "",
        )


class Quantile(Part):
    """A time that the share `level` of the measurements did not exceed."""

    level: float = Field(ge=0, le=1)
    seconds: float = Field(ge=0)


class Times(Part):
    """A measured distribution of a time."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule("self.quantiles.map(q, q.level).isSorted()", "levels of quantiles must rise"),
                rule("self.quantiles.map(q, q.seconds).isSorted()", "seconds of quantiles must not fall"),
            ]
        }
    )

    mean_seconds: float = Field(ge=0)
    quantiles: tuple[Quantile, ...] = Field(min_length=1, max_length=64)

    @classmethod
    def of(cls, times: Distribution) -> Self:
        """The part that says what the value `times` says."""
        pairs = zip(times.levels, times.values_s, strict=True)
        return cls(
            mean_seconds=times.mean_s,
            quantiles=tuple(Quantile(level=level, seconds=seconds) for level, seconds in pairs),
        )

    def distribution(self) -> Distribution:
        """As a value. ValueError when the quantiles fall."""
        levels = tuple(q.level for q in self.quantiles)
        return Distribution(levels, tuple(q.seconds for q in self.quantiles), self.mean_seconds)


class TimesAtWork(Part):
    """The time of a request while so many are at work in a replica."""

    requests: PositiveInt = Field(description="at work at once")
    time: Times

    @classmethod
    def of(cls, requests: int, times: Distribution) -> Self:
        """The part that says that with `requests` at work each takes `times`."""
        return cls(requests=requests, time=Times.of(times))


class Bounds(Part):
    """What bounds the time at `level`, 19 times out of 20."""

    level: float = Field(ge=0, le=1)
    low_seconds: float = Field(ge=0)
    high_seconds: float = Field(ge=0)

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """The part that says what the value `interval` says."""
        return cls(level=interval.level, low_seconds=interval.low_s, high_seconds=interval.high_s)

    def interval(self) -> Interval:
        """As a value."""
        return Interval(self.level, self.low_seconds, self.high_seconds)


class Parameter(Part):
    """A parameter of a family of distributions."""

    name: str
    value: float


class FitPart(Part):
    """The family of distributions that fits measured times best, and how well."""

    family: str
    parameters: tuple[Parameter, ...] = Field((), max_length=8)
    ks: float = Field(ge=0, description="the Kolmogorov-Smirnov distance")
    ad: float = Field(description="the Anderson-Darling statistic")

    @classmethod
    def of(cls, fit: Fit) -> Self:
        """The part that says what the value `fit` says."""
        parameters = tuple(Parameter(name=name, value=value) for name, value in fit.parameters)
        return cls(family=fit.family, parameters=parameters, ks=fit.ks, ad=fit.ad)

    def fit(self) -> Fit:
        """As a value."""
        return Fit(self.family, tuple((one.name, one.value) for one in self.parameters), self.ks, self.ad)


class ExecutionProfileSpec(Part):
    """The measured behaviour of a model on a flavor."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule(
                    "self.model == oldSelf.model && self.flavor == oldSelf.flavor",
                    "model and flavor are what a profile is of: make another one",
                )
            ]
        }
    )

    model: Name = Field(description="what annotations and plans name it by")
    flavor: Name
    workers: PositiveInt = Field(1, description="requests that one replica works on at once")
    service_time: Times = Field(description="of one request, while every worker has one")
    service_time_at_work: tuple[TimesAtWork, ...] = Field(
        (),
        max_length=16,
        description="the same with fewer requests at work, where workers slow each other down",
    )
    service_time_bounds: tuple[Bounds, ...] = Field(
        (), max_length=16, description="how sure the quantiles of serviceTime are"
    )
    service_time_fit: FitPart | None = None
    saturation_rps: float | None = Field(
        None, gt=0, description="requests/s that one replica was seen to keep up with"
    )
    dispersion: float = Field(
        1.0, ge=0, description="variance of sums of service times in a row, over that of independent ones"
    )
    ahead_seconds: float = Field(
        0.0, description="how much sooner requests that come by chance are answered than such times foretell"
    )
    setup_time: Times = Field(description="from the order for a replica until it serves")
    memory: Quantity | None = Field(None, description="that a replica was seen to use")
    requests: NonNegativeInt = Field(0, description="that were measured")


class ExecutionProfileResource(Resource):
    """An execution profile, for the services of its namespace."""

    kind_name = "ExecutionProfile"
    plural = "executionprofiles"

    spec: ExecutionProfileSpec

    @classmethod
    def of(cls, profile: ExecutionProfile, namespace: str) -> Self:
        """The object that says what the value `profile` says."""
        spec = ExecutionProfileSpec(
            model=profile.model,
            flavor=profile.flavor,
            workers=profile.workers,
            service_time=Times.of(profile.service_time),
            service_time_at_work=tuple(TimesAtWork.of(n, times) for n, times in profile.by_concurrency),
            service_time_bounds=tuple(Bounds.of(interval) for interval in profile.intervals),
            service_time_fit=FitPart.of(profile.fit) if profile.fit else None,
            saturation_rps=profile.saturation_rps,
            dispersion=profile.dispersion,
            ahead_seconds=profile.ahead_s,
            setup_time=Times.of(profile.setup_time),
            memory=memory_text(profile.memory_gib) if profile.memory_gib else None,
            requests=profile.requests,
        )
        metadata = Metadata(name=f"{profile.model}-{profile.flavor}", namespace=namespace)
        return cls(metadata=metadata, spec=spec)

    def profile(self) -> ExecutionProfile:
        """As a value. ResourceError when its quantiles fall."""
        spec = self.spec
        try:
            return ExecutionProfile(
                model=spec.model,
                flavor=spec.flavor,
                service_time=spec.service_time.distribution(),
                setup_time=spec.setup_time.distribution(),
                memory_gib=gib(spec.memory) if spec.memory else 0.0,
                workers=spec.workers,
                requests=spec.requests,
                by_concurrency=tuple(
                    (one.requests, one.time.distribution())
                    for one in sorted(spec.service_time_at_work, key=lambda one: one.requests)
                ),
                intervals=tuple(bounds.interval() for bounds in spec.service_time_bounds),
                fit=spec.service_time_fit.fit() if spec.service_time_fit else None,
                saturation_rps=spec.saturation_rps,
                dispersion=spec.dispersion,
                ahead_s=spec.ahead_seconds,
            )
        except ValueError as error:
            raise ResourceError(f"{self.kind_name} {self.id}: {error}") from error
