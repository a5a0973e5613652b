"""A story: a running service is given flavors of another family, on a platform that counts pods.

Cycle and actuation are real; the test is what Knative is: a Deployment has as many pods as its minimum says,
gives new ones the planned flavor, and deletes those of earlier turns first.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from knative_world import CATALOGUE, ID, Server, pod, revision, service, snapshot

from barista.capacity.make import capacity_model
from barista.control.cycle import Stages, cycle
from barista.control.decide import decide
from barista.control.rules import Rules
from barista.forecast.ladder import stand_in
from barista.plan.greedy import GreedyPlanner
from barista.plan.host import PlannerHost
from barista.plan.one_flavor import one_flavor_each
from barista.plan.pose import Horizon, pose
from barista.platforms.knative.actuation import Actuator
from barista.platforms.knative.bounds import MAX_SCALE, read_bounds
from barista.platforms.knative.client import PLANS, REVISIONS
from barista.platforms.knative.following import Followers
from barista.platforms.knative.plans import PlanWriter
from barista.ports.forecaster import ForecastContext
from barista.rails.rail import RailSettings
from barista.values.decision import Memory
from barista.values.forecast import Forecast
from barista.values.observation import Observation, Reading
from barista.values.problem import PlanLimits
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import Phase, Replica
from barista.values.series import Demand
from barista.values.service import Authority, DispatchRule, PluginChoice, Service, Slo
from barista.values.situation import ServiceView, Situation

PLAN, REVISION = PLANS.path("default", "resnet"), REVISIONS.path("default", "resnet-00001")
START_S, CYCLE_S, SETUP_S = 1_790_000_000.0, 2.0, 4.0
DEMAND_RPS, NEEDED = 12.0, 2
"""A replica of either flavor serves at most 10 requests/s."""
OLD, NEW = "cpu-1", "cpu-4"
RULES = Rules(Horizon(5.0, 12), capacity_model("queueing"), RailSettings(stabilisation_s=12), cycle_s=CYCLE_S)
TIMES = Distribution.constant
PROFILES = {name: ExecutionProfile("m", name, TIMES(0.1), TIMES(SETUP_S)) for name in (OLD, NEW)}
SOLVE = one_flavor_each(PlannerHost(GreedyPlanner(), PlanLimits(5.0, 0.01)).solve)


@dataclass(frozen=True)
class Pod:
    flavor: str
    turn: int
    born_s: float
    marked: bool = True


class Copy:
    """A copy that is brought up to date by the test."""

    def take_in(self, obj: Any) -> None:
        """Nothing: what is seen is what the test shows."""


class Story:
    """The service, with pods of flavor `old` and at most `most` in all, may use `flavors` from now on."""

    def __init__(self, held: int, most: int, old: str = OLD, flavors: tuple[str, ...] = (NEW,)) -> None:
        self.now_s, self.memory, self._most, self._flavors = START_S, Memory(), most, flavors
        self.pods = [Pod(old, 0, START_S - 60)] * held
        self.has_webhook, self.hindrance = True, ""
        self._server = Server()
        self._server.hold(REVISION, revision(max_scale=str(most)))
        named = {"namespace": "default", "name": "resnet"}
        self._server.hold(PLAN, {"metadata": named, "spec": {}, "status": {"flavor": old}})
        server: Any = self._server
        copy: Any = Copy()
        writer, followers = PlanWriter(server, copy), Followers(server, self._clock)
        self._actuator = Actuator(server, copy, writer, followers, lambda *_: None, self._clock)

    def ready(self) -> list[str]:
        """Flavors of the pods that are ready."""
        return [pod.flavor for pod in self.pods if self._is_ready(pod)]

    def turn(self) -> None:
        """One cycle, and what Knative makes of it."""
        objects = self._server.objects
        seen = snapshot(
            service(template={MAX_SCALE: str(self._most)}),
            revisions=[objects[REVISION]],
            plans=[objects[PLAN]],
            pods=[pod(str(n), flavor=one.flavor if one.marked else None) for n, one in enumerate(self.pods)],
        )
        outcome = cycle(self._stages(), self.memory, self.now_s).outcome
        self.memory = outcome.memory
        usual = self._flavors[0]
        self.hindrance = self._actuator.apply(outcome.decisions[0], seen, CATALOGUE, usual).text
        least = read_bounds(objects[REVISION]["metadata"]["annotations"]).least or 0
        status = objects[PLAN]["status"]
        new = Pod(status["flavor"], status.get("flavorTurn", 0), self.now_s)
        if not self.has_webhook:
            new = Pod(usual, 0, self.now_s, marked=False)
        staying = sorted(self.pods, key=lambda pod: (-pod.turn, pod.born_s))[:least]
        self.pods = staying + [new] * (least - len(staying))
        self.now_s += CYCLE_S

    def _clock(self) -> float:
        return self.now_s

    def _is_ready(self, pod: Pod) -> bool:
        return self.now_s - pod.born_s >= SETUP_S

    def _stages(self) -> Stages:
        return Stages(
            observe=lambda memory, now_s: Situation(now_s, CATALOGUE, (self._view(),), memory),
            foresee=lambda situation: {ID: self._forecast()},
            pose=lambda situation, forecasts, now_s: pose(
                situation, forecasts, now_s, RULES.horizon, RULES.capacity
            ),
            solve=SOLVE,
            decide=lambda situation, forecasts, plan, now_s: decide(situation, forecasts, plan, now_s, RULES),
        )

    def _view(self) -> ServiceView:
        asked = Service(
            ID,
            "m",
            Slo(0.4),
            self._flavors,
            min_replicas=0,
            max_replicas=self._most,
            authority=Authority.FLOOR,
        )
        now_s = self.now_s
        demand, flight = Reading.fresh(DEMAND_RPS, now_s), Reading.fresh(DEMAND_RPS / 10, now_s)
        seen = replace(Observation.missing(ID), demand_rps=demand, in_flight=flight)
        replicas = tuple(
            Replica(
                id=str(n),
                service=ID,
                flavor=pod.flavor,
                phase=Phase.READY if self._is_ready(pod) else Phase.STARTING,
                ordered_at_s=pod.born_s,
                ready_at_s=pod.born_s + SETUP_S,
            )
            for n, pod in enumerate(self.pods)
        )
        return ServiceView(asked, seen, replicas, PROFILES, DispatchRule.FIRST_FREE)

    def _forecast(self) -> Forecast:
        past = Demand(self.now_s - 25, 5.0, np.full(5, DEMAND_RPS))
        context = ForecastContext(steps=14, levels=(0.05, 0.5, 0.95, 0.99))
        made = stand_in(PluginChoice("last-value"), past, context)
        assert made is not None
        return made


@pytest.mark.parametrize(
    ("held", "most"), [(2, 8), (8, 8), (3, 3)], ids=["room", "at its maximum", "little room"]
)
def test_a_change_of_the_flavor_family_ends_with_the_new_flavor_and_never_serves_less_than_needed(
    held: int, most: int
) -> None:
    story = Story(held, most)
    for _ in range(40):
        story.turn()
        assert len(story.ready()) >= NEEDED
        assert len(story.pods) <= most
    assert set(story.ready()) == {NEW}
    assert story.hindrance == ""


@pytest.mark.parametrize(("held", "most"), [(2, 8), (8, 8)], ids=["room", "at its maximum"])
def test_a_much_cheaper_flavor_is_changed_to_while_the_service_runs(held: int, most: int) -> None:
    story = Story(held, most, old=NEW, flavors=(OLD, NEW))
    for _ in range(40):
        story.turn()
        assert len(story.ready()) >= NEEDED
        assert len(story.pods) <= most
    assert set(story.ready()) == {OLD}


def test_a_dearer_flavor_is_not() -> None:
    story = Story(NEEDED, 8, old=OLD, flavors=(OLD, NEW))
    for _ in range(20):
        story.turn()
    assert story.ready() == [OLD] * NEEDED


def test_while_the_webhook_is_away_a_change_does_not_start_ever_more_pods_and_that_is_told() -> None:
    story = Story(2, 8, old=NEW, flavors=(NEW, OLD))
    story.has_webhook = False
    for _ in range(20):
        story.turn()
    assert len(story.pods) == 4
    assert "not given their flavor" in story.hindrance


def test_where_every_replica_is_needed_the_change_waits() -> None:
    story = Story(held=NEEDED, most=NEEDED)
    for _ in range(20):
        story.turn()
    assert story.ready() == [OLD] * NEEDED
