"""Metrics of a cluster: what Prometheus recorded of queue-proxies and activators, as observations.

Demand is what was asked for, served or not: the rate of requests that ended, refused ones among them,
and what more came to be in flight. What Prometheus does not say is missing, never zero: a service has
no demand only where its pods, or with none the activator, were scraped and counted nothing. The number
of queries does not grow with the number of services.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from barista.platforms.knative.dialect import SeriesNames
from barista.platforms.knative.queries import (
    ACTIVATED,
    ALIVE,
    BEFORE_DEPTH,
    BEFORE_PASSING,
    BUSY,
    DEPTH,
    FIGURE,
    PASSING,
    PROXIED,
    SAMPLED,
    UP,
    Queries,
)
from barista.platforms.promql import NO_ANSWER, Querying
from barista.values.observation import Observation, Reading
from barista.values.series import Demand
from barista.values.service import Service, ServiceId

FEW_SCRAPES = 4
"""Scrapes over which a rate is taken at least."""
RECENT_STEPS = 12
HISTORY_WITHIN_S = 30.0
"""How long Prometheus may take for a history."""

Figures = Mapping[str, float]


class KnativeMetrics:
    """Measurements of Knative Services from the Prometheus at `url`, which scrapes each `scrape_interval_s`.

    `names` tells how the queue-proxies name their series now, `without_pods` which services have no
    pod (for them the activator is the witness). A figure is stale when older than `stale_after_s`.
    """

    def __init__(
        self,
        url: str,
        names: Callable[[], SeriesNames],
        without_pods: Callable[[], frozenset[ServiceId]],
        scrape_interval_s: float,
        stale_after_s: float,
    ) -> None:
        self._names, self._without_pods = names, without_pods
        self._least_window_s, self._stale_after_s = FEW_SCRAPES * scrape_interval_s, stale_after_s
        self._now, self._past = Querying(url), Querying(url, HISTORY_WITHIN_S)

    def observe(
        self, services: Sequence[Service], now_s: float, window_s: float, step_s: float
    ) -> Mapping[ServiceId, Observation]:
        """What was seen of `services` up to `now_s`; `recent` holds the last `RECENT_STEPS` whole steps."""
        ids = [service.id for service in services]
        if not ids:
            return {}
        queries, over_s = Queries(self._names(), ids), max(window_s, self._least_window_s)
        try:
            figures, alive_s = self._figures(queries, over_s, now_s)
            latencies = self._latencies(services, queries, over_s, now_s)
        except NO_ANSWER:
            return {service: Observation.missing(service) for service in ids}
        recent = self._demand(self._now, ids, now_s - RECENT_STEPS * step_s, now_s, step_s)
        podless = self._without_pods()

        def observation(service: ServiceId) -> Observation:
            seen = figures.get(service, {})
            at_s = alive_s if service in podless else max(seen.get(UP, 0.0), seen.get(SAMPLED, 0.0)) or None
            if at_s is None:
                return Observation.missing(service)

            def reading(value: float | None) -> Reading:
                if value is None:
                    return Reading.missing()
                return Reading.judged(value, at_s, now_s, self._stale_after_s)

            return Observation(
                service=service,
                demand_rps=reading(demand_rps(seen, over_s)),
                latency_s=reading(latencies.get(service)),
                in_flight=reading(in_flight(seen)),
                concurrency=reading(seen.get(BUSY, 0.0)),
                recent=recent.get(service),
            )

        return {service: observation(service) for service in ids}

    def history(
        self, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        """Demand on the steps within ``[start_s, end_s)``, which start at multiples of `step_s`.

        A step is NaN where nothing was scraped. A service without any value is left out; so are all
        when Prometheus does not answer.
        """
        # To look for values in weeks that have none takes as long as to read them.
        there = self._there(services, start_s, end_s)
        return self._demand(self._past, [one for one in services if one in there], start_s, end_s, step_s)

    def _there(self, services: Sequence[ServiceId], start_s: float, end_s: float) -> frozenset[ServiceId]:
        """Those of `services` of which anything was scraped between two times."""
        if not services:
            return frozenset()
        queries = Queries(self._names(), services)
        try:
            found = self._past.series(queries.demand_series(), start_s, end_s)
        except NO_ANSWER:
            return frozenset()
        return frozenset(queries.service_of(labels) for labels in found)

    def _demand(
        self, prometheus: Querying, services: Sequence[ServiceId], start_s: float, end_s: float, step_s: float
    ) -> Mapping[ServiceId, Demand]:
        first, last = int(np.ceil(start_s / step_s - 1e-6)), int(np.floor(end_s / step_s + 1e-6))
        if last <= first or not services:
            return {}
        queries = Queries(self._names(), services)
        query = queries.demand(max(step_s, self._least_window_s))
        rates = {service: np.full(last - first, np.nan) for service in services}
        try:
            # The rate at the end of a step is that of the step.
            for labels, points in prometheus.range(query, (first + 1) * step_s, last * step_s, step_s):
                service = queries.service_of(labels)
                if service in rates:
                    at = np.round(points[:, 0] / step_s).astype(int) - first - 1
                    values = np.zeros(len(points)) if labels[FIGURE] == UP else points[:, 1]
                    rates[service][at] = np.fmax(rates[service][at], values)
        except NO_ANSWER:
            return {}
        return {
            service: Demand(first * step_s, step_s, values)
            for service, values in rates.items()
            if np.isfinite(values).any()
        }

    def _figures(
        self, queries: Queries, over_s: float, now_s: float
    ) -> tuple[Mapping[ServiceId, Figures], float | None]:
        """Figures by service, and when an activator was last scraped."""
        found: defaultdict[ServiceId, dict[str, float]] = defaultdict(dict)
        alive_s = None
        for row in self._now.instant(queries.figures(over_s), now_s):
            labels, value = row["metric"], float(row["value"][1])
            if labels[FIGURE] == ALIVE:
                alive_s = value
            elif np.isfinite(value):
                found[queries.service_of(labels)][labels[FIGURE]] = value
        return found, alive_s

    def _latencies(
        self, services: Sequence[Service], queries: Queries, over_s: float, now_s: float
    ) -> Mapping[ServiceId, float]:
        """Latency (s) at each service's own percentile: one query for each distinct percentile."""
        found: dict[ServiceId, float] = {}
        for percentile in sorted({service.slo.percentile for service in services}):
            of_it = {service.id for service in services if service.slo.percentile == percentile}
            for row in self._now.instant(queries.latencies(percentile, over_s), now_s):
                service, value = queries.service_of(row["metric"]), float(row["value"][1])
                if service in of_it and np.isfinite(value):
                    found[service] = max(found.get(service, 0.0), value)
        return found


def demand_rps(seen: Figures, window_s: float) -> float | None:
    """Requests/s asked for: what ended, and what more is in flight than a window of `window_s` ago.

    None where requests were counted too lately for a rate.
    """
    if SAMPLED in seen and PROXIED not in seen and ACTIVATED not in seen:
        return None
    ended = max(seen.get(PROXIED, 0.0), seen.get(ACTIVATED, 0.0))
    before = max(seen.get(BEFORE_DEPTH, 0.0), seen.get(BEFORE_PASSING, 0.0))
    return ended + max(0.0, _present(seen) - before) / window_s


def in_flight(seen: Figures) -> float:
    """Requests in flight: as told by the activator or the pods; where neither tells, the window's mean."""
    if PASSING in seen or DEPTH in seen:
        return _present(seen)
    return seen.get(BUSY, 0.0)


def _present(seen: Figures) -> float:
    return max(seen.get(DEPTH, 0.0), seen.get(PASSING, 0.0))
