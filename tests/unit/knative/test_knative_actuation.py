"""What is written to a cluster, and what never is."""

from typing import Any

import pytest
from knative_world import (
    CATALOGUE,
    ID,
    Server,
    config,
    decision,
    deployment,
    plan_object,
    pod,
    revision,
    service,
    snapshot,
)

from barista.platforms.knative.actuation import Actuator
from barista.platforms.knative.bounds import MAX_SCALE, MIN_SCALE
from barista.platforms.knative.client import MANAGER, PLANS, REVISIONS
from barista.platforms.knative.following import PATIENCE_S, Followers
from barista.platforms.knative.plans import PlanWriter
from barista.platforms.knative.snapshot import Snapshot
from barista.values.decision import Horizontal, Vertical
from barista.values.service import Authority

REVISION = REVISIONS.path("default", "resnet-00001")
PLAN = PLANS.path("default", "resnet")


class Copy:
    """A copy that is brought up to date by the test."""

    def take_in(self, obj: Any) -> None:
        """Nothing: what is seen is what the test shows."""


class World:
    """An actuator on a server that remembers; time is what the test says."""

    def __init__(self, *revisions: Any) -> None:
        self.now_s = 0.0
        self.server, self.told = Server(), list[tuple[str, str]]()
        for one in revisions or (revision(),):
            self.server.hold(REVISIONS.path("default", one["metadata"]["name"]), one)
        self.actuator = self._begin()

    def _begin(self) -> Actuator:
        clock: Any = lambda: self.now_s  # noqa: E731
        server: Any = self.server
        copy: Any = Copy()
        return Actuator(
            server,
            copy,
            PlanWriter(server, copy),
            Followers(server, clock),
            lambda _service, reason, text: self.told.append((reason, text)),
            clock,
        )

    def restart(self) -> None:
        """Another controller begins on the same server: it remembers nothing."""
        self.actuator = self._begin()

    def seen(self, *services: Any, **kinds: Any) -> Snapshot:
        """The snapshot of what the server holds."""
        held = self.server.objects
        kinds.setdefault("revisions", [obj for path, obj in held.items() if "/revisions/" in path])
        kinds.setdefault("plans", [obj for path, obj in held.items() if "/scalingplans/" in path])
        return snapshot(*services, **kinds)

    def bounds(self, name: str = "resnet-00001") -> tuple[str | None, str | None]:
        """The annotations of a Revision."""
        marks = self.server.objects[REVISIONS.path("default", name)]["metadata"]["annotations"]
        return marks.get(MIN_SCALE), marks.get(MAX_SCALE)


@pytest.mark.parametrize(
    ("authority", "template", "replicas", "expected"),
    [
        (Authority.FLOOR, {}, 3, ("3", None)),
        (Authority.FLOOR, {MAX_SCALE: "5"}, 3, ("3", "5")),
        (Authority.FLOOR, {MAX_SCALE: "5"}, 8, ("5", "5")),
        (Authority.FLOOR, {MIN_SCALE: "2"}, 1, ("2", None)),
        (Authority.FLOOR, {}, 0, ("0", None)),
        (Authority.PIN, {}, 3, ("3", "3")),
        (Authority.PIN, {MAX_SCALE: "5"}, 0, ("0", "5")),
    ],
)
def test_bounds_by_authority(authority: Authority, template: Any, replicas: int, expected: Any) -> None:
    world = World()
    seen = world.seen(service(template=template))
    applied = world.actuator.apply(decision({"cpu-1": replicas}, authority), seen, CATALOGUE, "cpu-1")
    assert applied.ok, applied.text
    assert world.bounds() == expected


def test_both_bounds_go_in_one_write_and_nothing_else_of_a_revision_is_touched() -> None:
    world = World()
    world.actuator.apply(decision({"cpu-1": 3}, Authority.PIN), world.seen(), CATALOGUE, "cpu-1")
    assert world.server.writes("/revisions/") == [
        (REVISION, {"metadata": {"annotations": {MIN_SCALE: "3", MAX_SCALE: "3"}}})
    ]


def test_what_was_there_is_stored_before_anything_is_written() -> None:
    world = World(revision(min_scale="1", max_scale="9"))
    seen = world.seen(service(template={MIN_SCALE: "1", MAX_SCALE: "9"}))
    world.actuator.apply(decision({"cpu-1": 3}), seen, CATALOGUE, "cpu-1")
    kinds = [path.split("/")[-2] for _, path, _ in world.server.asked]
    assert kinds.index("resnet") < kinds.index("revisions")
    status = world.server.objects[PLAN]["status"]
    assert status["revisions"][0]["original"] == {"minScale": 1, "maxScale": 9}
    assert (status["replicas"], status["authority"], status["flavor"]) == (3, "floor", "cpu-1")


def test_a_decision_that_is_in_force_writes_nothing() -> None:
    world = World()
    world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    world.server.asked.clear()
    applied = world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    assert applied.ok
    assert world.server.asked == []


@pytest.mark.parametrize(
    ("given", "authority", "version"),
    [
        (service(), Authority.ADVISE, "1.21.0"),
        (service(annotations={}), Authority.PIN, "1.21.0"),
        (service(), Authority.PIN, "1.20.3"),
    ],
    ids=["advise", "did not opt in", "Knative too old"],
)
def test_nothing_is_written(given: Any, authority: Authority, version: str) -> None:
    world = World()
    seen = world.seen(given, plans=[plan_object()], config=[config(version)])
    applied = world.actuator.apply(decision({"cpu-1": 3}, authority), seen, CATALOGUE, "cpu-1")
    assert world.server.asked == []
    assert applied.ok is (version == "1.21.0")


def test_a_hold_without_a_plan_does_not_make_the_kpas_replicas_the_minimum() -> None:
    world = World()
    held = decision({"cpu-1": 7}, current={"cpu-1": 7}, planned=False)
    world.actuator.apply(held, world.seen(), CATALOGUE, "cpu-1")
    assert world.server.asked == []


def test_a_split_divides_replicas_by_share_and_leaves_nobody_with_none() -> None:
    world = World(revision(), revision("resnet-00002"))
    split = service(traffic={"resnet-00001": 90, "resnet-00002": 10}, latest="resnet-00002")
    world.actuator.apply(decision({"cpu-1": 4}), world.seen(split), CATALOGUE, "cpu-1")
    assert (world.bounds()[0], world.bounds("resnet-00002")[0]) == ("4", "1")


def test_a_revision_that_traffic_has_left_gets_its_bounds_back() -> None:
    world = World(revision(max_scale="9"), revision("resnet-00002"))
    world.actuator.apply(decision({"cpu-1": 4}, Authority.PIN), world.seen(), CATALOGUE, "cpu-1")
    assert world.bounds() == ("4", "4")
    moved = service(traffic={"resnet-00002": 100}, latest="resnet-00002", template={MAX_SCALE: "9"})
    world.actuator.apply(decision({"cpu-1": 4}, Authority.PIN), world.seen(moved), CATALOGUE, "cpu-1")
    assert world.bounds("resnet-00002") == ("4", "4")
    assert world.bounds()[0] is None


def test_what_was_found_is_not_forgotten_while_no_revision_is_reached() -> None:
    world = World(revision(min_scale="1"))
    seen = world.seen(service(template={MIN_SCALE: "1"}))
    world.actuator.apply(decision({"cpu-1": 4}), seen, CATALOGUE, "cpu-1")
    unrouted = world.seen(service(traffic={}))
    world.actuator.apply(decision({"cpu-1": 5}), unrouted, CATALOGUE, "cpu-1")
    assert world.server.objects[PLAN]["status"]["revisions"][0]["original"] == {"minScale": 1}
    assert world.bounds()[0] == "4"


def test_someone_elses_bounds_are_noticed_left_alone_and_then_set_right() -> None:
    world = World()
    world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    world.server.patch(REVISION, {"metadata": {"annotations": {MIN_SCALE: "1"}}})
    applied = world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    assert not applied.ok
    assert "someone else" in applied.text
    assert world.bounds()[0] == "1"
    assert [reason for reason, _ in world.told] == ["BoundsReverted"]
    world.now_s = 29.0
    world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    assert world.bounds()[0] == "1"
    world.now_s = 31.0
    world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    assert world.bounds()[0] == "3"
    assert len(world.told) == 1


def test_what_someone_else_wrote_while_no_controller_ran_is_noticed_by_the_next_one() -> None:
    world = World()
    world.actuator.apply(decision({"cpu-1": 3}), world.seen(), CATALOGUE, "cpu-1")
    world.server.patch(REVISION, {"metadata": {"annotations": {MIN_SCALE: "1"}}})
    world.restart()
    applied = world.actuator.apply(decision({"cpu-1": 4}), world.seen(), CATALOGUE, "cpu-1")
    assert "someone else set 1..- instead of 3..-" in applied.text
    assert world.bounds()[0] == "1"
    assert [reason for reason, _ in world.told] == ["BoundsReverted"]
    world.now_s = 31.0
    assert world.actuator.apply(decision({"cpu-1": 4}), world.seen(), CATALOGUE, "cpu-1").ok
    assert world.bounds()[0] == "4"


def test_bounds_of_a_controller_that_ended_before_it_wrote_what_it_had_stored_are_no_conflict() -> None:
    world = World()
    world.actuator.apply(decision({"cpu-1": 2}), world.seen(), CATALOGUE, "cpu-1")
    mine = {"f:metadata": {"f:annotations": {f"f:{MIN_SCALE}": {}}}}
    record = [{"manager": MANAGER, "operation": "Update", "fieldsV1": mine}]
    world.server.patch(REVISION, {"metadata": {"managedFields": record}})
    stored = {"name": "resnet-00001", "original": {}, "written": {"minScale": 3}}
    world.server.patch(f"{PLAN}/status", {"status": {"revisions": [stored]}})
    world.restart()
    applied = world.actuator.apply(decision({"cpu-1": 4}), world.seen(), CATALOGUE, "cpu-1")
    assert applied.ok
    assert world.bounds()[0] == "4"
    assert world.told == []


def test_a_copy_that_lags_behind_our_own_write_is_no_conflict() -> None:
    world = World()
    before = world.seen()
    world.actuator.apply(decision({"cpu-1": 3}), before, CATALOGUE, "cpu-1")
    world.server.asked.clear()
    applied = world.actuator.apply(
        decision({"cpu-1": 3}), world.seen(revisions=[revision()]), CATALOGUE, "cpu-1"
    )
    assert applied.ok
    assert world.server.writes("/revisions/") == []
    assert world.told == []


def test_giving_back_restores_what_was_found_and_leaves_what_others_set_since() -> None:
    world = World(revision(min_scale="1"), revision("resnet-00002", max_scale="9"))
    both = service(traffic={"resnet-00001": 50, "resnet-00002": 50}, latest="resnet-00003")
    world.actuator.apply(decision({"cpu-1": 4}), world.seen(both), CATALOGUE, "cpu-1")
    assert (world.bounds(), world.bounds("resnet-00002")) == (("2", None), ("2", None))
    world.server.patch(
        REVISIONS.path("default", "resnet-00002"), {"metadata": {"annotations": {MIN_SCALE: "7"}}}
    )
    seen = world.seen(both)
    assert world.actuator.give_back(seen.services[ID], seen.plans[ID].status)
    assert (world.bounds(), world.bounds("resnet-00002")) == (("1", None), ("7", None))
    status = world.server.objects[PLAN]["status"]
    assert not {"revisions", "replicas", "authority", "flavor"} & set(status)
    again = world.seen(both)
    assert not world.actuator.give_back(again.services[ID], again.plans[ID].status)


def test_a_deployment_that_does_not_follow_is_scaled_after_a_while() -> None:
    world = World()
    path = "/apis/apps/v1/namespaces/default/deployments/resnet-00001-deployment"
    world.server.hold(path, deployment(1))

    def act() -> str:
        seen = world.seen(deployments=[world.server.objects[path]])
        return world.actuator.apply(decision({"cpu-1": 3}), seen, CATALOGUE, "cpu-1").text

    assert act() == ""
    world.now_s = PATIENCE_S + 1
    assert "scaled directly" in act()
    assert world.server.writes("/scale") == [(f"{path}/scale", {"spec": {"replicas": 3}})]
    assert act() == ""


def test_pods_without_a_node_are_told() -> None:
    world = World()
    homeless = pod("a", ready=False)
    homeless["status"]["conditions"].append(
        {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
    )
    seen = world.seen(deployments=[deployment(2)], pods=[homeless, pod("b")])
    applied = world.actuator.apply(decision({"cpu-1": 2}), seen, CATALOGUE, "cpu-1")
    assert "1 of 2 replicas have no node: Insufficient cpu" in applied.text


def test_a_vertical_change_resizes_ready_pods_in_place() -> None:
    world = World()
    pods = [pod("a", ready=False, cpu="500m"), pod("b", cpu="500m"), pod("c", cpu="1")]
    for one in pods:
        world.server.hold(f"/api/v1/namespaces/default/pods/{one['metadata']['name']}", one)
    change = Vertical("cpu-half", "cpu-1", 1)
    it = decision({"cpu-half": 1, "cpu-1": 2}, changes=(change,))
    world.actuator.apply(it, world.seen(pods=pods), CATALOGUE, "cpu-1")
    (path, body), *more = world.server.writes("/resize")
    assert path == "/api/v1/namespaces/default/pods/b/resize"
    asked = {"cpu": "1", "memory": "2Gi"}
    assert body == {
        "spec": {"containers": [{"name": "model", "resources": {"requests": asked, "limits": asked}}]}
    }
    assert more == []


def test_a_change_of_the_flavor_family_is_a_turn_and_ends_with_the_new_flavor_alone() -> None:
    world = World()

    def status(final: dict[str, int], *changes: Horizontal) -> tuple[str, int | None]:
        world.actuator.apply(decision(final, changes=changes), world.seen(), CATALOGUE, "cpu-1")
        said = world.server.objects[PLAN]["status"]
        return said["flavor"], said.get("flavorTurn")

    assert status({"cpu-half": 3}) == ("cpu-half", None)
    assert status({"cpu-1": 3}) == ("cpu-1", None), "within the family it is resized, and no turn"
    both = {"cpu-1": 3, "cpu-4": 1}
    assert status(both, Horizontal("cpu-4", 0, 1)) == ("cpu-4", 1)
    assert world.bounds()[0] == "4"
    assert status(both) == ("cpu-4", 1), "while it lasts, new pods are of the new flavor"
    assert status({"cpu-4": 1}) == ("cpu-4", 1)
    assert world.bounds()[0] == "1"
    assert status({"cpu-4": 1, "cpu-1": 1}, Horizontal("cpu-1", 0, 1)) == ("cpu-1", 2)


@pytest.mark.parametrize(
    ("most", "asked"), [(None, ["5", "3"]), ("5", ["5", "3"]), ("4", ["1", "3"])], ids=["any", "5", "4"]
)
def test_flavors_change_places_by_turns_as_far_as_there_is_room(most: str | None, asked: list[str]) -> None:
    world, template = World(), {} if most is None else {MAX_SCALE: most}

    def ask(current: dict[str, int], *changes: Horizontal) -> str | None:
        it = decision({"cpu-1": 1, "cpu-4": 2}, current=current, changes=changes)
        world.actuator.apply(it, world.seen(service(template=template)), CATALOGUE, "cpu-1")
        return world.bounds()[0]

    swap = Horizontal("cpu-1", 3, 1), Horizontal("cpu-4", 0, 2)
    assert [ask({"cpu-1": 3}, *swap), ask({"cpu-1": 1}, swap[1])] == asked


def test_new_pods_get_the_flavor_that_is_started() -> None:
    world = World()
    it = decision({"cpu-1": 3, "cpu-4": 1}, changes=(Horizontal("cpu-4", 0, 1),))
    world.actuator.apply(it, world.seen(), CATALOGUE, "cpu-1")
    assert world.server.objects[PLAN]["status"]["flavor"] == "cpu-4"
