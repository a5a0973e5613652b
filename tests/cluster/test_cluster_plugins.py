"""A forecaster of one's own behind HTTP, on a cluster; and the controller as one that others may ask.

The forecaster is the example plug-in's server. The operator names it in the configuration while the
controller runs, one service chooses it by that name, and it fails.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml

from barista.control.question import Question, write_question
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.observation import Observation, Reading
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.service import Authority, Service, ServiceId, Slo
from barista.values.situation import ServiceView, Situation
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import free_port
from tests.cluster.controllers import CONFIGURATION, Running
from tests.cluster.installed import ROOT
from tests.cluster.rest import until
from tests.cluster.served import opted_in

NAME = "average-day"


class ForecasterServer:
    """The example plug-in's server, as a process."""

    def __init__(self) -> None:
        self.port = free_port()
        folders = (ROOT / "plugins/example/src", ROOT / "autoscaler")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
        command = [sys.executable, "-m", "barista_average_day.server", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


@pytest.fixture
def forecaster(controller: Running) -> Iterator[ForecasterServer]:
    """The server, and a configuration that names it."""
    server = ForecasterServer()
    named = {NAME: {"webhook": {"url": f"http://127.0.0.1:{server.port}/v1/forecast", "timeout_s": 1}}}
    controller.configuration.write_text(CONFIGURATION + yaml.safe_dump({"forecasters": named}))
    yield server
    server.end()
    controller.configuration.write_text(CONFIGURATION)


def test_a_service_uses_the_forecaster_it_names_and_falls_back_visibly_while_that_is_away(
    cluster: Cluster, namespace: str, controller: Running, forecaster: ForecasterServer
) -> None:
    usual = opted_in(cluster, namespace, "usual", "advise")
    named = opted_in(cluster, namespace, "named", "advise", forecaster=NAME)
    with named.load(5), usual.load(5):
        until(lambda: named.condition("ForecastReady").startswith("True"), "its own forecast", 60)
        assert named.plan()["forecast"]["madeBy"].startswith(NAME)
        until(lambda: usual.condition("ForecastReady").startswith("True"), "the usual forecast", 30)
        assert usual.plan()["forecast"]["madeBy"].startswith("last-value")

        forecaster.end()
        until(lambda: named.condition("ForecastReady") == "False StoodIn", "a stand-in that is told", 30)
        assert "StoodIn" in {event["reason"] for event in named.events()}
        assert usual.condition("ForecastReady").startswith("True")


def test_whoever_asks_is_told_what_would_be_decided(controller: Running) -> None:
    until(lambda: controller.ask("/v1/plans") not in ("", "{}"), "a cycle", 30)
    said = json.loads(controller.ask("/v1/decide", write_question(Question(_situation()))))
    (decision,) = said["decisions"]
    assert decision["service"] == "elsewhere/model"
    assert decision["final"]["cpu-1"] >= 3
    assert decision["reasons"][0]["rail"] == "plan"


def _situation() -> Situation:
    """A service that is not in this cluster, with 20 requests/s and no replica."""
    flavor, now_s = Flavor("cpu-1", "cpu", 1, 1, 0.05), time.time()
    service = ServiceId("elsewhere/model")
    times = Distribution.constant(0.1)
    view = ServiceView(
        Service(service, "model", Slo(0.4), ("cpu-1",), authority=Authority.FLOOR),
        replace(Observation.missing(service), demand_rps=Reading.fresh(20.0, now_s)),
        replicas=(),
        profiles={"cpu-1": ExecutionProfile("model", "cpu-1", times, Distribution.constant(4.0))},
    )
    return Situation(now_s, Catalogue({"cpu": Pool("cpu", 60, 200)}, {"cpu-1": flavor}), (view,))
