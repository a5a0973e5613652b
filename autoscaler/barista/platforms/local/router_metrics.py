"""What the router tells Prometheus. Arrivals count every request that is offered, served or not:
they are the demand that Barista forecasts, so an overloaded service never looks idle.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from barista.platforms.local.dispatch import Lane

ARRIVALS = "barista_router_arrivals_total"
REQUESTS = "barista_router_requests_total"
REQUEST_DURATION = "barista_router_request_duration_seconds"
REPLICA_DURATION = "barista_router_replica_duration_seconds"
IN_FLIGHT = "barista_router_in_flight"
IN_SERVICE = "barista_router_in_service"
REPLICAS = "barista_router_replicas"

# ISO 3's R20 numbers: neighbours differ by 12 %, so a quantile read between two bounds is about
# as good near an SLO of 20 ms as near one of 10 s.
_R20 = (
    1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8,
    3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0,
)  # fmt: skip
BUCKETS_S = tuple(
    bound
    for decade in range(-3, 2)
    for number in _R20
    if 0.002 <= (bound := round(number * 10.0**decade, 6)) <= 31.5
)


class RouterMetrics:
    """Counters and histograms of one router, every series of every service there from the start."""

    def __init__(self, lanes: Mapping[str, Lane[Any]]) -> None:
        # One more time series beside each series, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the package has no annotation here
        self._registry = CollectorRegistry()
        self._requests = Counter(
            REQUESTS, "Requests answered, by HTTP status", ("service", "code"), registry=self._registry
        )
        arrivals = Counter(ARRIVALS, "Requests offered, served or not", ("service",), registry=self._registry)
        durations = Histogram(
            REQUEST_DURATION,
            "From arrival to answer, queueing included",
            ("service",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        replica_durations = Histogram(
            REPLICA_DURATION,
            "Time at the replica that answered",
            ("service",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        # Children are made here, once: a series that appears with its first request has lost that request.
        self._arrivals = {service: arrivals.labels(service) for service in lanes}
        self._durations = {service: durations.labels(service) for service in lanes}
        self._replica_durations = {service: replica_durations.labels(service) for service in lanes}
        self._registry.register(_LaneGauges(lanes))

    def arrived(self, service: str) -> None:
        """A request was offered."""
        self._arrivals[service].inc()

    def answered(self, service: str, status: int, duration_s: float) -> None:
        """A request was answered with `status`, `duration_s` after its arrival."""
        self._requests.labels(service, str(status)).inc()
        self._durations[service].observe(duration_s)

    def served(self, service: str, duration_s: float) -> None:
        """A replica answered within `duration_s`."""
        self._replica_durations[service].observe(duration_s)

    def text(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self._registry)


class _LaneGauges(Collector):
    """Gauges read from the lanes when they are scraped: the path of a request does not touch them."""

    def __init__(self, lanes: Mapping[str, Lane[Any]]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        in_flight = GaugeMetricFamily(IN_FLIGHT, "Requests queued or at replicas", labels=("service",))
        in_service = GaugeMetricFamily(IN_SERVICE, "Requests at replicas", labels=("service",))
        replicas = GaugeMetricFamily(REPLICAS, "Replicas that get requests", labels=("service",))
        for service, lane in self._lanes.items():
            in_flight.add_metric((service,), lane.waiting + lane.in_service)
            in_service.add_metric((service,), lane.in_service)
            replicas.add_metric((service,), lane.replicas)
        yield from (in_flight, in_service, replicas)
