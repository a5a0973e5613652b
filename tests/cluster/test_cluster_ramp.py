"""Ahead of demand: replicas of a model made with the real `kn` are ready before a ramp begins, from zero too.

The forecaster is an operator's plug-in behind HTTP that knows the day's programme, so that what is shown
here is what happens between a forecast and ready replicas. The execution profile states a service time well
above the real one: a few cores bear the load, and replicas are needed all the same.
"""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from barista.models import build_models
from tests.cluster.cluster import Cluster
from tests.cluster.controllers import CONFIGURATION, Running
from tests.cluster.images import TORCHSERVE
from tests.cluster.installed import ROOT
from tests.cluster.rest import Object, until
from tests.cluster.served import opted_in, restarts
from tests.cluster.witness import written_minima

TOGETHER = 3.0
"""Several replicas that start at once on a few cores take longer than one: times as long at most."""
NOTICE_S = 10.0
"""Some cycles, in which the ramp is foreseen before the set-up time has to begin."""
QUIET_RPS, BUSY_RPS, BUSY_S = 3.0, 18.0, 10.0
FROM_FILE = ("--filename", str(ROOT / "knative" / "service.yaml"), "--image", TORCHSERVE)
"""The example that users start from."""


class Programme(ThreadingHTTPServer):
    """A forecaster behind HTTP that knows when it will be busy."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.busy = (float("inf"), float("inf"))
        """From when until when, in seconds since the epoch."""
        self.quiet_rps = 0.0

    def rps(self, start_s: float, end_s: float) -> float:
        """The most that is asked for between two times."""
        return BUSY_RPS if start_s < self.busy[1] and end_s > self.busy[0] else self.quiet_rps


class _Answering(BaseHTTPRequestHandler):
    server: Programme

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        demand, step_s = asked["demand"], asked["demand"]["step_s"]
        origin_s = demand["start_s"] + len(demand["values"]) * step_s
        starts_s = [origin_s + step * step_s for step in range(asked["steps"])]
        mean = [self.server.rps(start_s, start_s + step_s) for start_s in starts_s]
        body = json.dumps({"mean": mean, "quantiles": [mean] * len(asked["levels"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def programme(controller: Running) -> Iterator[Programme]:
    """The forecaster, and a configuration in which the operator has named it."""
    with Programme() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/forecast"
        named = {"programme": {"webhook": {"url": url, "timeout_s": 1}}}
        controller.configuration.write_text(CONFIGURATION + yaml.safe_dump({"forecasters": named}))
        yield server
        controller.configuration.write_text(CONFIGURATION)
        server.shutdown()


def test_replicas_of_a_torchserve_model_are_ready_before_a_ramp_and_go_after_it(
    cluster: Cluster, namespace: str, controller: Running, programme: Programme
) -> None:
    built = build_models(["digits"])["digits"]
    programme.quiet_rps = QUIET_RPS
    model = opted_in(
        *(cluster, namespace, "digits", "floor", "--annotation", "autoscaling.knative.dev/window=6s"),
        forecaster="programme",
        image=FROM_FILE,
        setup_s=None,
    )
    (pod,) = model.ready()
    setup_s = max(10.0, TOGETHER * (_ready_s(pod) - _seconds(pod["metadata"]["creationTimestamp"])))
    model.profile(setup_s)
    headers = {"Content-Type": built.content_type}
    asked: dict[str, Any] = {"path": "/predictions/digits", "data": built.body(), "headers": headers}
    with model.load(QUIET_RPS, **asked):
        until(lambda: model.condition("ForecastReady").startswith("True"), "a forecast by the programme", 60)
        # Knative's autoscaler may have had replicas of its own while the first one warmed up.
        until(lambda: len(model.pods()) == max(1, model.minimum()), "calm", 60)
        quiet, first = model.minimum(), {pod["metadata"]["uid"] for pod in model.pods()}
        busy_s = time.time() + setup_s + NOTICE_S
        programme.busy = (busy_s, busy_s + BUSY_S)
        time.sleep(max(0.0, busy_s - time.time()))
        pods = model.ready()
        with model.load(BUSY_RPS - QUIET_RPS, **asked):
            time.sleep(BUSY_S)
        served = model.ready()
        until(lambda: model.minimum() == quiet, "a lowered minimum", 90)

    minima = written_minima(cluster, namespace)
    raised_s = next(at_s for at_s, least in minima if least > quiet)
    *_, planned = (least for at_s, least in minima if at_s < busy_s)
    assert planned > quiet
    assert len(pods) >= planned
    added = [pod for pod in pods if pod["metadata"]["uid"] not in first]
    assert len(added) >= 2
    for pod in added:
        assert raised_s - 1 <= _seconds(pod["metadata"]["creationTimestamp"]) <= _ready_s(pod) <= busy_s
    assert len(model.revisions()) == 1
    assert first <= {pod["metadata"]["uid"] for pod in served}
    assert restarts(served) == 0


def test_a_pinned_service_goes_to_zero_and_is_back_before_it_is_needed(
    cluster: Cluster, namespace: str, controller: Running, programme: Programme
) -> None:
    model = opted_in(cluster, namespace, "model", "pin", forecaster="programme")
    until(lambda: model.bounds() == ("0", "4"), "a plan for nothing", 60)
    until(lambda: not model.pods(), "no replica", 60)

    needed_s = time.time() + 20
    programme.busy = (needed_s, needed_s + BUSY_S)
    until(lambda: model.minimum() > 0, "a plan for what comes", 20)
    assert len(set(model.bounds())) == 1
    until(lambda: len(model.ready()) == model.minimum(), "the replicas", 20)
    assert time.time() < needed_s


def _ready_s(pod: Object) -> float:
    (ready,) = (one for one in pod["status"]["conditions"] if one["type"] == "Ready")
    return _seconds(ready["lastTransitionTime"])


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
