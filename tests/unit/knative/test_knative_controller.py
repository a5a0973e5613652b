"""The controller's turns on a cluster that the test holds in its hands, and its HTTP API."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from knative_world import ID, Server, config, plan_object, pod, profile, revision, service

from barista.cli.adapters import Adapters
from barista.cli.cluster_control import ClusterControl, Parts
from barista.cli.insight import ControllerInsight
from barista.cli.journal import Journal
from barista.cli.reloading import ConfigurationFile
from barista.cli.telling import Teller
from barista.control.question import Question, answer, read_question, write_outcome, write_question
from barista.forecast.quality import Watch
from barista.platforms.knative.actuation import Actuator
from barista.platforms.knative.bounds import MIN_SCALE
from barista.platforms.knative.client import PLANS, REVISIONS
from barista.platforms.knative.events import Events
from barista.platforms.knative.following import Followers
from barista.platforms.knative.plans import PlanWriter
from barista.platforms.knative.platform import KnativePlatform
from barista.platforms.knative.snapshot import Snapshot, read_snapshot
from barista.ports.platform import PlatformUnavailable
from barista.values.observation import Observation, Reading
from barista.values.series import Demand
from barista.values.situation import Situation
from barista.webhook.controller_api import controller_app
from barista.workers import Inline

NOW = 1_790_000_000.0
CONFIGURATION = """
pools: {cpu: {cpu: 32, memory_gib: 64}}
flavors: {cpu-1: {pool: cpu, cpu: 1, memory_gib: 2, cost_per_hour: 0.05}}
defaults: {min_replicas: 0, forecaster: {name: last-value}}
planner: {name: greedy}
control: {cycle_s: 30, surge: false, stabilisation_s: 60}
"""


class Copy:
    def take_in(self, obj: Any) -> None:
        pass


class Gauge:
    """Demand as the test says; None: nothing is measured."""

    demand: float | None = 30.0

    def observe(self, services: Any, now_s: float, window_s: float, step_s: float) -> Any:
        if self.demand is None:
            return {}
        rate, zero = Reading.fresh(self.demand, now_s), Reading.fresh(0.0, now_s)
        recent = self.history([s.id for s in services], now_s - 12 * step_s, now_s, step_s)
        return {s.id: Observation(s.id, rate, zero, zero, zero, recent.get(s.id)) for s in services}

    def history(self, services: Any, start_s: float, end_s: float, step_s: float) -> Any:
        if self.demand is None:
            return {}
        start_s = step_s * round(start_s / step_s)
        return {s: Demand(start_s, step_s, np.full(12, self.demand)) for s in services}


class World:
    """A cluster of one service, and a controller on it that takes turns."""

    def __init__(self, directory: Path) -> None:
        self.server, self.gauge = Server(), Gauge()
        self.services, self.away, self.leads = [service()], False, True
        self.pods = [pod("a")]
        server: Any = self.server
        copy: Any = Copy()
        self.server.hold(REVISIONS.path("default", "resnet-00001"), revision())
        self.server.hold(PLANS.path("default", "resnet"), plan_object())
        events, plans = Events(server, "me"), PlanWriter(server, copy)
        actuator = Actuator(server, copy, plans, Followers(server), events.tell)
        self.platform = KnativePlatform(self.look, actuator, lambda: self.leads)
        self.path = directory / "barista.yaml"
        self.path.write_text(CONFIGURATION)
        gauge: Any = self.gauge
        here = Inline()
        self.journal = Journal()
        self.control = ClusterControl(
            Parts(
                ConfigurationFile(self.path),
                self.look,
                lambda: self.leads,
                self.platform,
                lambda _settings: Adapters(self.platform, gauge, here, here, here),
                self.journal,
                Teller(plans, events),
                Watch(),
            )
        )

    def look(self) -> Snapshot:
        if self.away:
            raise PlatformUnavailable("pods were last seen 20 s ago")
        held = self.server.objects
        return read_snapshot(
            services=self.services,
            revisions=[obj for path, obj in held.items() if "/revisions/" in path],
            plans=[obj for path, obj in held.items() if "/scalingplans/" in path],
            pods=self.pods,
            profiles=[profile()],
            config=[config()],
        )

    @property
    def minimum(self) -> str | None:
        marks = self.server.objects[REVISIONS.path("default", "resnet-00001")]["metadata"]["annotations"]
        found: str | None = marks.get(MIN_SCALE)
        return found

    def api(self) -> TestClient:
        settings = ConfigurationFile(self.path).settings
        insight = ControllerInsight(self.control, self.platform, self.journal, settings)
        return TestClient(controller_app(insight))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_demand_raises_the_minimum_and_a_second_turn_writes_nothing_more(world: World) -> None:
    world.control.turn(NOW)
    assert int(world.minimum or 0) > 1
    world.pods = [pod(f"p{i}") for i in range(int(world.minimum or 0))]
    world.control.turn(NOW + 30)
    world.server.asked.clear()
    world.control.turn(NOW + 60)
    world.control.turn(NOW + 90)
    assert world.server.asked == []


def test_nothing_is_lowered_after_a_start_until_enough_was_seen(world: World) -> None:
    world.pods = [pod(f"p{i}") for i in range(6)]
    world.gauge.demand = 1.0
    for seconds in (0, 30):
        world.control.turn(NOW + seconds)
        assert world.minimum == "6"
    for seconds in range(60, 240, 30):
        world.control.turn(NOW + seconds)
    assert world.minimum == "1"


@pytest.mark.parametrize("fault", ["prometheus", "api server"])
def test_an_outage_lowers_nothing_and_neither_does_what_follows_it(world: World, fault: str) -> None:
    world.pods = [pod(f"p{i}") for i in range(6)]
    world.control.turn(NOW)
    world.control.turn(NOW + 300)
    before = world.minimum
    world.gauge.demand = None if fault == "prometheus" else 0.0
    world.away = fault == "api server"
    for seconds in range(330, 600, 30):
        world.control.turn(NOW + seconds)
    world.gauge.demand, world.away = 0.0, False
    world.control.turn(NOW + 600)
    assert int(world.minimum or 0) >= int(before or 0)


def test_who_does_not_lead_writes_nothing_and_begins_with_an_empty_memory(world: World) -> None:
    world.leads = False
    world.control.turn(NOW)
    assert world.server.asked == []
    world.leads = True
    world.control.turn(NOW + 1)
    assert world.minimum is not None


@pytest.mark.parametrize("lost", ["sight of the cluster", "the lead"])
def test_what_is_lost_amid_a_turn_ends_its_writing_and_not_the_controller(world: World, lost: str) -> None:
    observe = world.gauge.observe

    def slowly(services: Any, now_s: float, window_s: float, step_s: float) -> Any:
        world.away, world.leads = lost == "sight of the cluster", lost != "the lead"
        return observe(services, now_s, window_s, step_s)

    world.gauge.observe = slowly  # type: ignore[method-assign]  # the moment at which it is lost
    world.control.turn(NOW)
    assert world.minimum is None
    assert not [path for _, path, _ in world.server.asked if "/revisions/" in path]


def test_a_clock_that_is_set_back_keeps_nobody_waiting(world: World) -> None:
    world.control.turn(NOW)
    assert world.control.turn(NOW - 3600) == NOW - 3600 + 30


def test_services_come_and_go_while_it_runs(world: World) -> None:
    world.services = []
    world.control.turn(NOW)
    assert world.control.roster is not None
    assert world.control.roster.watched.services == []
    world.services = [service()]
    world.control.turn(NOW + 30)
    assert world.minimum is not None


def test_a_service_that_opts_out_gets_everything_back(world: World) -> None:
    world.control.turn(NOW)
    world.services = [service(annotations={})]
    world.control.turn(NOW + 30)
    assert world.minimum is None


def test_a_changed_configuration_counts_from_the_next_turn_and_a_bad_one_is_told(world: World) -> None:
    world.control.turn(NOW)
    world.path.write_text(CONFIGURATION.replace("cycle_s: 30", "cycle_s: 10"))
    assert world.control.turn(NOW + 30) == NOW + 40
    world.path.write_text(CONFIGURATION.replace("30", "often"))
    assert world.control.turn(NOW + 40) == NOW + 50
    reasons = [body["reason"] for _, path, body in world.server.asked if "events" in path]
    assert "ConfigurationRefused" in reasons


def test_health_services_plans_explanations_and_metrics_over_http(world: World) -> None:
    api = world.api()
    assert api.get("/healthz").status_code == 200
    assert api.get("/readyz").status_code == 503
    assert api.get("/v1/explanations/default/resnet").status_code == 503
    world.control.turn(NOW)
    assert api.get("/readyz").status_code == 200
    assert api.get("/v1/services").json()[0]["service"] == ID
    assert api.get("/v1/plans").json()["services"][ID]["authority"] == "floor"
    explained = api.get("/v1/explanations/default/resnet").json()
    assert explained["repeats"] is True
    assert api.get("/v1/explanations/default/nobody").status_code == 404
    assert "barista_cycle_seconds_count 1.0" in api.get("/metrics").text
    world.away = True
    world.control.turn(NOW + 30)
    assert "cluster not seen" in api.get("/readyz").text


def test_decide_answers_with_decisions_and_reasons(world: World) -> None:
    world.control.turn(NOW)
    done = world.journal.latest
    assert done is not None
    views = tuple(
        replace(view, observation=replace(view.observation, recent=None)) for view in done.situation.services
    )
    situation: Situation = replace(done.situation, services=views)
    text = write_question(Question(situation, dict(done.forecasts), done.plan))
    answered = world.api().post("/v1/decide", content=text)
    assert answered.status_code == 200
    assert answered.json()["decisions"][0]["final"] == dict(done.outcome.decisions[0].final)
    alone = world.api().post("/v1/decide", content=write_question(Question(situation)))
    assert alone.json()["decisions"][0]["reasons"][0]["text"].startswith("planned by greedy")
    wrong = world.api().post("/v1/decide", content=json.dumps({"situation": {"at_s": "soon"}}))
    assert wrong.status_code == 422
    assert "at_s" in wrong.text
    rules = world.control.rules
    assert rules is not None
    assert write_outcome(answer(read_question(text), rules)) == answered.content
