"""Demand from what queue-proxies and activators count, by a real Prometheus's rules where it matters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import requests

from barista.platforms.knative.dialect import series_names
from barista.platforms.knative.metrics import KnativeMetrics, demand_rps, in_flight
from barista.platforms.knative.queries import (
    ACTIVATED,
    ALIVE,
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
from barista.values.observation import Freshness
from barista.values.service import Service, ServiceId, Slo

NOW = 1_790_000_000.0
A, B = ServiceId("default/a"), ServiceId("team/b.c")
SERVICES = [Service(A, "m", Slo(0.25), ("cpu-1",)), Service(B, "m", Slo(0.5), ("cpu-1",))]


@pytest.mark.parametrize(
    ("figures", "demand", "flight"),
    [
        ({PROXIED: 4.0}, 4.0, 0.0),
        ({PROXIED: 4.0, ACTIVATED: 5.0}, 5.0, 0.0),
        ({PROXIED: 4.0, PASSING: 30.0, BEFORE_PASSING: 10.0}, 6.0, 30.0),
        ({PROXIED: 4.0, PASSING: 10.0, BEFORE_PASSING: 30.0}, 4.0, 10.0),
        ({PROXIED: 4.0, BUSY: 1.5}, 4.0, 1.5),
        ({PROXIED: 4.0, BUSY: 1.5, DEPTH: 0.0}, 4.0, 0.0),
        ({PASSING: 5.0}, 0.5, 5.0),
        ({UP: NOW}, 0.0, 0.0),
        ({SAMPLED: NOW}, None, 0.0),
    ],
    ids=[
        "at the pods",
        "refused before the pods",
        "more in flight",
        "less in flight",
        "no gauge",
        "gauge says none",
        "waiting for the first pod",
        "scraped and counted nothing",
        "counted once: no rate yet",
    ],
)
def test_demand_and_in_flight(figures: Mapping[str, float], demand: float | None, flight: float) -> None:
    assert demand_rps(figures, 10.0) == demand
    assert in_flight(figures) == flight


class Answers:
    """A Prometheus's API that gives the rows it is told, and remembers the queries."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *rows: tuple[Mapping[str, str], float]) -> None:
        self.rows, self.queries = rows, list[str]()
        self.away = False

        def request(_session: Any, method: str, url: str, **more: Any) -> requests.Response:
            if self.away:
                raise requests.ConnectionError
            body = more.get("data") or more.get("params") or {}
            query = body.get("query", "series")
            self.queries.append(query)
            answer = requests.Response()
            answer.status_code = 200
            answer._content = self._result(url.rpartition("/")[2], query).encode()
            return answer

        monkeypatch.setattr(requests.Session, "request", request)

    def _result(self, asked: str, query: str) -> str:
        import json

        if asked == "series":
            return json.dumps({"status": "success", "data": [dict(labels) for labels, _ in self.rows]})
        is_range = asked == "query_range"
        rows = [] if "histogram_quantile" in query else self.rows
        kept = [(labels, value) for labels, value in rows if not is_range or labels[FIGURE] in (PROXIED, UP)]
        result = [
            {"metric": dict(labels), "values": [[NOW - 10, str(value)], [NOW, str(value)]]}
            if is_range
            else {"metric": dict(labels), "value": [NOW, str(value)]}
            for labels, value in kept
        ]
        return json.dumps({"status": "success", "data": {"result": result}})


def by_pod(figure: str, service: ServiceId = A) -> dict[str, str]:
    namespace, name = service.split("/")
    return {FIGURE: figure, "namespace": namespace, "service": name}


def by_activator(figure: str, service: ServiceId) -> dict[str, str]:
    namespace, name = service.split("/")
    return {FIGURE: figure, "k8s_namespace_name": namespace, "kn_service_name": name}


def metrics(without_pods: frozenset[ServiceId] = frozenset()) -> KnativeMetrics:
    return KnativeMetrics("http://prometheus", lambda: series_names(None), lambda: without_pods, 2.0, 15.0)


def test_figures_become_observations_each_with_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(
        monkeypatch,
        (by_pod(PROXIED), 4.0),
        (by_pod(UP), NOW - 3),
        (by_pod(PROXIED, B), 7.0),
        (by_pod(SAMPLED, B), NOW - 40),
    )
    seen = metrics().observe(SERVICES, NOW, 20.0, 10.0)
    assert (seen[A].demand_rps.value, seen[A].demand_rps.at_s) == (4.0, NOW - 3)
    assert seen[B].demand_rps.freshness is Freshness.STALE
    recent = seen[A].recent
    assert recent is not None
    assert recent.values[-1] == 4.0
    assert np.isnan(recent.values[0])
    assert len(answers.queries) == 3


def test_the_number_of_queries_does_not_grow_with_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    many = [Service(ServiceId(f"default/s{i}"), "m", Slo(0.25), ("cpu-1",)) for i in range(300)]
    metrics().observe(many, NOW, 20.0, 10.0)
    assert len(answers.queries) == 3


def test_absent_is_missing_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch)
    seen = metrics().observe(SERVICES, NOW, 20.0, 10.0)
    assert {o.demand_rps.freshness for o in seen.values()} == {Freshness.MISSING}


def test_without_pods_the_activator_is_the_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(
        monkeypatch,
        ({FIGURE: ALIVE}, NOW - 1),
        (by_activator(ACTIVATED, B), 2.0),
        (by_activator(PASSING, B), 3.0),
    )
    seen = metrics(frozenset({A, B})).observe(SERVICES, NOW, 20.0, 10.0)
    assert (seen[A].demand_rps.value, seen[A].demand_rps.freshness) == (0.0, Freshness.FRESH)
    assert (seen[B].demand_rps.value, seen[B].in_flight.value) == (2.15, 3.0)
    blind = metrics(frozenset({A})).observe(SERVICES, NOW, 20.0, 10.0)
    assert blind[B].demand_rps.freshness is Freshness.MISSING


def test_a_prometheus_that_does_not_answer_makes_all_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    answers.away = True
    seen = metrics().observe(SERVICES, NOW, 20.0, 10.0)
    assert seen[A].demand_rps.freshness is Freshness.MISSING
    assert metrics().history([A], NOW - 100, NOW, 10.0) == {}


def test_a_history_is_asked_for_only_of_services_of_which_anything_was_scraped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = Answers(monkeypatch, (by_pod(PROXIED, B), 7.0))
    weeks_s = 28 * 86_400.0
    assert list(metrics().history([A, B], NOW - weeks_s, NOW, 10.0)) == [B]
    series, *ranges = answers.queries
    assert series == "series"
    assert all('service=~"b[.]c"' in query for query in ranges)
    answers.queries.clear()
    assert metrics().history([], NOW - weeks_s, NOW, 10.0) == {}
    answers.rows = ()
    assert metrics().history([A, B], NOW - weeks_s, NOW, 10.0) == {}
    assert answers.queries == ["series"]


def test_names_with_dots_match_themselves_only() -> None:
    assert 'service=~"a|b[.]c"' in Queries(series_names(None), [A, B]).figures(20.0)
