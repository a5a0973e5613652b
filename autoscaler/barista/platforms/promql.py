"""Prometheus asked over its HTTP API, which Thanos, Mimir and VictoriaMetrics speak as well."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from barista.values.series import FloatArray

NO_ANSWER = (requests.RequestException, PrometheusApiClientException)
"""What a query raises when there is no answer: figures are then missing, never zero."""
POINTS_PER_QUERY = 11_000
"""Prometheus refuses a range query of more points a series."""


class Querying:
    """Queries to the Prometheus at `url`; one that takes longer than `timeout_s` counts as unanswered."""

    def __init__(self, url: str, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy named in the environment is not for this server
        # Not tried again after a time-out: a cycle has no time to wait twice.
        retry = Retry(total=2, read=0, backoff_factor=0.1, status_forcelist=(502, 503, 504))
        self._prometheus = PrometheusConnect(
            url, session=session, retry=retry, timeout=timeout_s, method="POST", headers=dict(headers or {})
        )

    def instant(self, query: str, at_s: float) -> list[dict[str, Any]]:
        """The rows of `query` at `at_s`. Raises one of `NO_ANSWER`."""
        rows: list[dict[str, Any]] = self._prometheus.custom_query(query, params={"time": f"{at_s:.3f}"})
        return rows

    def series(self, selectors: Sequence[str], start_s: float, end_s: float) -> list[dict[str, str]]:
        """The labels of the series that any of `selectors` finds between two times; no value is read.

        Raises one of `NO_ANSWER`.
        """
        begin, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (start_s, end_s))
        found: list[dict[str, str]] = self._prometheus.get_series(begin, end, {"match[]": list(selectors)})
        return found

    def range(
        self, query: str, start_s: float, end_s: float, step_s: float
    ) -> Iterator[tuple[dict[str, str], FloatArray]]:
        """Labels and points of each series of `query` from `start_s` to `end_s`, both included.

        Points have shape (n, 2): time and value; those that are absent are left out. One request for
        each `POINTS_PER_QUERY` points. Raises one of `NO_ANSWER`.
        """
        steps, first = round((end_s - start_s) / step_s), 0
        while first <= steps:
            last = min(first + POINTS_PER_QUERY - 1, steps)
            # As parameters, since the client rounds its own two arguments to whole seconds.
            part_s = (start_s + first * step_s, start_s + last * step_s)
            span = {"start": f"{part_s[0]:.3f}", "end": f"{part_s[1]:.3f}"}
            begin, end = (datetime.fromtimestamp(at_s, UTC) for at_s in part_s)
            for row in self._prometheus.custom_query_range(query, begin, end, f"{step_s:.3f}", params=span):
                yield row["metric"], points_of(row["values"])
            first = last + 1


def points_of(pairs: Sequence[tuple[float, str]]) -> FloatArray:
    """The points of a series, shape (n, 2): time and value."""
    return np.array(pairs, dtype=np.float64)


def duration(seconds: float) -> str:
    """`seconds` as a PromQL duration."""
    return f"{round(seconds * 1000)}ms"
