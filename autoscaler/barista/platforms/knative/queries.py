"""The queries: what is asked of Prometheus about all services at once.

One query brings all figures: each expression is marked by a label `figure`, and joined to the others by
`or`. Queue-proxies count what reached a pod, refused requests too; the activator counts what passed it, so
it knows of requests while there is no pod. What passed both is counted by both, hence never added up.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from barista.platforms.knative.dialect import (
    ACTIVATOR_ALIVE,
    ACTIVATOR_CONCURRENCY,
    ACTIVATOR_NAMESPACE,
    ACTIVATOR_SERVICE,
    SeriesNames,
)
from barista.platforms.promql import duration
from barista.values.service import ServiceId, service_id

FIGURE = "figure"
PROXIED, ACTIVATED = "proxied", "activated"
"""Requests/s that ended at the pods, and at the activator."""
DEPTH, BEFORE_DEPTH = "depth", "depth-before"
PASSING, BEFORE_PASSING = "passing", "passing-before"
"""Requests in flight in the pods and in the activator; and a window ago."""
BUSY = "busy"
"""Mean number in flight over the window: the seconds that requests took, by second (Little)."""
UP, SAMPLED, ALIVE = "up", "sampled", "alive"
"""When pods were scraped, requests were counted, and any activator was scraped: times."""


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries about `services`, where the queue-proxies' series are named by `names`."""

    names: SeriesNames
    services: Collection[ServiceId]

    def figures(self, window_s: float) -> str:
        """All figures of an instant, rates over `window_s`."""
        window, names = duration(window_s), self.names
        requests, passing = self._pods(names.requests), self._activator(ACTIVATOR_CONCURRENCY)
        seconds = self._pods(f"{names.latency}_sum")
        up = self._pods("up", "")
        figures = {
            **self._rates(window),
            PASSING: self._by_activator(passing),
            BEFORE_PASSING: self._by_activator(f"{passing} offset {window}"),
            BUSY: f"{self._by_pods(f'rate({seconds}[{window}])')} * {names.latency_unit_s:g}",
            UP: self._by_pods(f"timestamp({up}) and {up} == 1", "max"),
            SAMPLED: self._by_pods(f"timestamp({requests})", "max"),
            ALIVE: f"max(timestamp({ACTIVATOR_ALIVE}))",
        }
        if names.depth is not None:
            depth = self._pods(names.depth)
            # Set by arrivals only: where none came for a window, it tells nothing.
            moving = f"and on (namespace, pod) (rate({requests}[{window}]) > 0)"
            figures[DEPTH] = self._by_pods(f"{depth} {moving}")
            figures[BEFORE_DEPTH] = self._by_pods(f"{depth} offset {window}")
        return _joined(figures)

    def demand(self, window_s: float) -> str:
        """What demand over `window_s` is made from, for a range of times."""
        up = self._pods("up", "")
        return _joined({**self._rates(duration(window_s)), UP: self._by_pods(f"{up} == 1", "count")})

    def demand_series(self) -> tuple[str, ...]:
        """The series that demand is made from."""
        requests = self.names.requests
        return self._pods(requests), self._activator(requests), self._pods("up", "")

    def latencies(self, percentile: float, window_s: float) -> str:
        """Time (s) of the requests at `percentile`, at the pods and at the activator."""
        buckets, unit = f"{self.names.latency}_bucket", self.names.latency_unit_s
        by_pods = f"sum by ({self._labels}, le) (rate({self._pods(buckets)}[{duration(window_s)}]))"
        by_activator = (
            f"sum by ({ACTIVATOR_NAMESPACE}, {ACTIVATOR_SERVICE}, le)"
            f" (rate({self._activator(buckets)}[{duration(window_s)}]))"
        )
        return _joined(
            {
                PROXIED: f"histogram_quantile({percentile}, {by_pods}) * {unit:g}",
                ACTIVATED: f"histogram_quantile({percentile}, {by_activator}) * {unit:g}",
            }
        )

    def service_of(self, labels: Mapping[str, str]) -> ServiceId:
        """The service that a row is about; the activator's rows name it by labels of their own."""
        if ACTIVATOR_SERVICE in labels:
            return service_id(labels.get(ACTIVATOR_NAMESPACE, ""), labels[ACTIVATOR_SERVICE])
        return service_id(labels.get(self.names.namespace, ""), labels.get(self.names.service, ""))

    @property
    def _labels(self) -> str:
        return f"{self.names.namespace}, {self.names.service}"

    def _rates(self, window: str) -> dict[str, str]:
        pods, activator = self._pods(self.names.requests), self._activator(self.names.requests)
        return {
            PROXIED: self._by_pods(f"rate({pods}[{window}])"),
            ACTIVATED: self._by_activator(f"rate({activator}[{window}])"),
        }

    def _pods(self, series: str, without: str = f',{ACTIVATOR_SERVICE}=""') -> str:
        return f"{series}{{{self._only(self.names.namespace, self.names.service)}{without}}}"

    def _activator(self, series: str) -> str:
        return f"{series}{{{self._only(ACTIVATOR_NAMESPACE, ACTIVATOR_SERVICE)}}}"

    def _by_pods(self, expression: str, how: str = "sum") -> str:
        return f"{how} by ({self._labels}) ({expression})"

    def _by_activator(self, expression: str) -> str:
        return f"sum by ({ACTIVATOR_NAMESPACE}, {ACTIVATOR_SERVICE}) ({expression})"

    def _only(self, namespace: str, service: str) -> str:
        spaces, names = zip(*(one.split("/") for one in self.services), strict=True)
        return f'{namespace}=~"{_any(spaces)}",{service}=~"{_any(names)}"'


def _any(values: Collection[str]) -> str:
    """A pattern of any of `values`; of what names may hold only the dot is special in it."""
    return "|".join(sorted({value.replace(".", "[.]") for value in values}))


def _joined(figures: Mapping[str, str]) -> str:
    return " or ".join(f'label_replace({one}, "{FIGURE}", "{name}", "", "")' for name, one in figures.items())
