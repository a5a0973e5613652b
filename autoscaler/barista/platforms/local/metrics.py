"""Metrics of the local platform: what Prometheus recorded of the router, as observations and history.

What Prometheus does not say is missing, never zero, and its absence is an answer, never an error. The
number of queries does not grow with the number of services.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from barista.platforms.local.router_metrics import ARRIVALS, IN_FLIGHT, IN_SERVICE, REQUEST_DURATION
from barista.platforms.local.samples import Boundaries, Samples
from barista.platforms.promql import NO_ANSWER, Querying, duration, points_of
from barista.values.observation import Observation, Reading
from barista.values.series import Demand
from barista.values.service import Service, ServiceId

FEW_SCRAPES = 3
"""A figure is stale after so many scrapes, and a rate is never taken over fewer."""
LOOK_BACK_S = 30.0
"""How old a figure may be to be shown at all, as stale."""
RECENT_STEPS = 12
NEAR = 0.75
"""A sample tells the count at the boundary of a step when it is younger there than this share of the step."""
_SAMPLED_AT = "sampled_at"


class PrometheusMetrics:
    """Measurements of services from the Prometheus at `url`, which scrapes each `scrape_interval_s`.

    A figure is stale when older than `stale_after_s` (by default `FEW_SCRAPES`). A query that takes
    longer than `timeout_s` counts as no answer.
    """

    def __init__(
        self,
        url: str,
        scrape_interval_s: float = 1.0,
        stale_after_s: float | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        self._few_scrapes_s = FEW_SCRAPES * scrape_interval_s
        self._stale_after_s = self._few_scrapes_s if stale_after_s is None else stale_after_s
        self._prometheus = Querying(url, timeout_s)

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        """What was seen of `services` up to `now_s`.

        A rate is that of the window before the newest sample. The latency is missing when no request
        was answered in the window. `recent` holds the last `RECENT_STEPS` whole steps.
        """
        ids = [service.id for service in services]
        try:
            samples = self._samples(ids, now_s, window_s)
            newest_s = max((series.newest_s for series in samples.values()), default=now_s)
            latencies = self._latencies(services, newest_s, window_s) if samples else {}
        except NO_ANSWER:
            return {service: Observation.missing(service) for service in ids}
        recent = self.history(ids, now_s - RECENT_STEPS * step_s, now_s, step_s) if samples else {}

        def reading(value: float | None, at_s: float) -> Reading:
            if value is None:
                return Reading.missing()
            return Reading.judged(value, at_s, now_s, self._stale_after_s)

        def observation(service: ServiceId) -> Observation:
            arrivals = samples.get((ARRIVALS, service))
            in_flight = samples.get((IN_FLIGHT, service))
            in_service = samples.get((IN_SERVICE, service))
            if arrivals is None or in_flight is None or in_service is None:
                return Observation.missing(service)
            return Observation(
                service=service,
                demand_rps=reading(arrivals.rate(window_s), arrivals.newest_s),
                latency_s=reading(latencies.get(service), newest_s),
                in_flight=reading(in_flight.last(), in_flight.newest_s),
                concurrency=reading(in_service.mean(window_s), in_service.newest_s),
                recent=recent.get(service),
            )

        return {service: observation(service) for service in ids}

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Demand on the steps within ``[start_s, end_s)``, which start at multiples of `step_s`.

        A step is NaN where no sample lies near one of its ends, or the counter went back within it.
        A service without any value is left out; so are all when Prometheus does not answer.
        """
        first, last = int(np.ceil(start_s / step_s - 1e-6)), int(np.floor(end_s / step_s + 1e-6))
        if last <= first:
            return {}
        counters = {service: Boundaries.unknown(last - first + 1) for service in services}
        try:
            self._fill(counters, first, last, step_s)
        except NO_ANSWER:
            return {}
        boundaries_s = np.arange(first, last + 1) * step_s
        rates = {service: counter.rates(boundaries_s, NEAR * step_s) for service, counter in counters.items()}
        return {
            service: Demand(first * step_s, step_s, values)
            for service, values in rates.items()
            if np.isfinite(values).any()
        }

    def _fill(self, counters: Mapping[ServiceId, Boundaries], first: int, last: int, step_s: float) -> None:
        """Fill the boundaries of `counters`, which are those from `first` to `last`, in steps."""
        counter = f"{ARRIVALS}{{{_only(counters)}}}"
        # Beside the counter, and told from it by a label, the time of each of its samples.
        times = f'label_replace(timestamp({counter}), "{_SAMPLED_AT}", "1", "", "")'
        both = f"{counter} or {times}"
        for labels, points in self._prometheus.range(both, first * step_s, last * step_s, step_s):
            boundaries = counters[ServiceId(labels["service"])]
            row = boundaries.sampled_at_s if _SAMPLED_AT in labels else boundaries.counts
            row[np.round(points[:, 0] / step_s).astype(int) - first] = points[:, 1]

    def _samples(
        self, services: Sequence[ServiceId], now_s: float, window_s: float
    ) -> dict[tuple[str, ServiceId], Samples]:
        """Raw samples of arrivals, in flight and in service, by metric and service."""
        names = f'__name__=~"{ARRIVALS}|{IN_FLIGHT}|{IN_SERVICE}"'
        rows = self._prometheus.instant(
            f"{{{names},{_only(services)}}}[{duration(window_s + LOOK_BACK_S)}]", now_s
        )
        return {
            (row["metric"]["__name__"], ServiceId(row["metric"]["service"])): _of(row["values"])
            for row in rows
        }

    def _latencies(
        self, services: Sequence[Service], at_s: float, window_s: float
    ) -> dict[ServiceId, float | None]:
        """Latency (s) at each service's own percentile: one query for each distinct percentile."""
        span = duration(max(window_s, self._few_scrapes_s))
        found: dict[ServiceId, float | None] = {}
        for percentile in sorted({service.slo.percentile for service in services}):
            ids = [service.id for service in services if service.slo.percentile == percentile]
            rates = f"rate({REQUEST_DURATION}_bucket{{{_only(ids)}}}[{span}])"
            quantiles = f"histogram_quantile({percentile}, sum by (service, le) ({rates}))"
            for row in self._prometheus.instant(quantiles, at_s):
                value = float(row["value"][1])
                found[ServiceId(row["metric"]["service"])] = value if np.isfinite(value) else None
        return found


def _of(pairs: Sequence[tuple[float, str]]) -> Samples:
    points = points_of(pairs)
    return Samples(points[:, 0], points[:, 1])


def _only(services: Iterable[ServiceId]) -> str:
    """The matcher of the label `service`; of what names may hold only the dot is special in it."""
    return f'service=~"{"|".join(service.replace(".", "[.]") for service in services)}"'
