"""What is read from a cluster's objects: truth tables on recorded JSON."""

from typing import Any

import pytest
from knative_world import CATALOGUE, ID, config, plan_object, pod, revision, service, snapshot

from barista.platforms.knative.bounds import MAX_SCALE, MIN_SCALE, Bounds
from barista.platforms.knative.dialect import Version, series_names, too_old
from barista.platforms.knative.limits import accepted, split
from barista.platforms.knative.resizing import flavor_reader, resized
from barista.platforms.knative.state import ClusterConfig, dispatch_rule, read_config, read_replicas
from barista.values.replica import Phase
from barista.values.service import DispatchRule


@pytest.mark.parametrize(
    ("label", "version", "old"),
    [
        ("1.21.0", Version(1, 21), False),
        ("v1.23.1", Version(1, 23, 1), False),
        ("1.20.9", Version(1, 20, 9), True),
        ("devel", None, False),
        ("", None, False),
    ],
)
def test_versions_are_read_and_those_before_1_21_are_too_old(
    label: str, version: Version | None, old: bool
) -> None:
    read = read_config(config(label)).version
    assert read == version
    assert (too_old(read) is not None) is old


def test_series_have_other_names_before_1_19() -> None:
    assert series_names(Version(1, 18)).latency_unit_s == 1e-3
    assert series_names(Version(1, 23)).requests == series_names(None).requests


def test_a_services_own_bounds_are_those_of_its_template_not_of_its_revision() -> None:
    seen = snapshot(
        service(template={MIN_SCALE: "1"}), revisions=[revision(min_scale="7", max_scale="7")]
    ).services[ID]
    assert seen.own_bounds == Bounds(1, None)
    assert seen.revisions[0].bounds == Bounds(7, 7)


def test_only_revisions_that_traffic_reaches_count_and_shares_of_one_add_up() -> None:
    given = service(traffic={"resnet-00001": 60, "resnet-00003": 0})
    given["status"]["traffic"].append({"revisionName": "resnet-00001", "percent": 40, "tag": "x"})
    revisions = [revision(f"resnet-0000{i}") for i in (1, 2, 3)]
    (only,) = snapshot(given, revisions=revisions).services[ID].revisions
    assert (only.name, only.share) == ("resnet-00001", 1.0)


def test_pods_are_replicas_in_their_phase() -> None:
    seen = snapshot().services[ID]
    pods = [
        pod("ready"),
        pod("starting", ready=False),
        pod("leaving", leaving=True),
        pod("unreached", of="resnet-00000"),
        pod("failed", phase="Failed"),
    ]
    phases = {r.id: r.phase for r in read_replicas(seen, pods, flavor_reader(CATALOGUE, "cpu-1"), 60.0)}
    assert phases == {
        "ready": Phase.READY,
        "starting": Phase.STARTING,
        "leaving": Phase.DRAINING,
        "unreached": Phase.DRAINING,
    }
    (first, *_) = read_replicas(seen, pods, flavor_reader(CATALOGUE, "cpu-1"), 60.0)
    assert first.ready_at_s is not None
    assert (first.ready_at_s - first.ordered_at_s, first.lease_until_s - first.ordered_at_s) == (10, 60)


@pytest.mark.parametrize(
    ("flavor", "cpu", "read"),
    [
        ("cpu-1", "1", "cpu-1"),
        ("cpu-1", "500m", "cpu-half"),
        ("cpu-4", "1", "cpu-4"),
        ("gone", "1", "gone"),
        (None, "4", "cpu-4"),
    ],
    ids=["as admitted", "resized", "outside its family", "unknown", "bears none"],
)
def test_the_flavor_of_a_pod(flavor: str | None, cpu: str, read: str) -> None:
    assert flavor_reader(CATALOGUE, "cpu-4")(pod("a", flavor=flavor, cpu=cpu)) == read


def test_a_pod_that_asks_for_nothing_cannot_be_resized() -> None:
    bare = pod("a")
    bare["spec"]["containers"][0].pop("resources")
    assert resized(bare, CATALOGUE.flavor("cpu-1")) is None


@pytest.mark.parametrize(
    ("concurrency", "burst", "most", "rule"),
    [
        (1, "-1", 500, DispatchRule.FIRST_FREE),
        (3, "-1", 10, DispatchRule.FIRST_FREE),
        (4, "-1", 10, DispatchRule.ROUND_ROBIN),
        (0, "-1", 10, DispatchRule.TWO_CHOICES),
        (1, None, 10, DispatchRule.FIRST_FREE),
        (0, None, 10, DispatchRule.RANDOM),
        (4, None, 100, DispatchRule.RANDOM),
        (1, "0", 10, DispatchRule.RANDOM),
    ],
)
def test_who_hands_out_requests(concurrency: int, burst: str | None, most: int, rule: DispatchRule) -> None:
    template = {} if burst is None else {"autoscaling.knative.dev/target-burst-capacity": burst}
    seen = snapshot(service(template=template, concurrency=concurrency))
    assert dispatch_rule(seen.services[ID], seen.config, most) is rule


@pytest.mark.parametrize(
    ("replicas", "shares", "counts"),
    [
        (0, [0.5, 0.5], (0, 0)),
        (5, [1.0], (5,)),
        (5, [0.5, 0.5], (3, 2)),
        (10, [0.9, 0.1], (9, 1)),
        (2, [0.98, 0.01, 0.01], (2, 1, 1)),
        (3, [], ()),
    ],
)
def test_replicas_are_divided(replicas: int, shares: list[float], counts: tuple[int, ...]) -> None:
    assert split(replicas, shares) == counts


@pytest.mark.parametrize(
    ("bounds", "cluster", "taken"),
    [
        (Bounds(5, None), ClusterConfig(), Bounds(5, None)),
        (Bounds(5, None), ClusterConfig(max_scale=3), Bounds(3, None)),
        (Bounds(5, 9), ClusterConfig(max_scale=3), Bounds(5, 9)),
        (Bounds(5, 9), ClusterConfig(max_scale_limit=4), Bounds(4, 4)),
        (Bounds(0, 0), ClusterConfig(max_scale_limit=4), Bounds(0, 4)),
    ],
)
def test_the_clusters_limits(bounds: Bounds, cluster: ClusterConfig, taken: Bounds) -> None:
    assert accepted(bounds, cluster) == taken


def test_what_cannot_be_read_is_a_fault_of_its_own() -> None:
    broken: Any = service(template={MAX_SCALE: "many"})
    seen = snapshot(broken, plans=[plan_object(authority="boss")])
    assert seen.services == {}
    assert ID in seen.faults


def test_a_service_without_the_annotation_is_seen_only_when_it_has_a_plan() -> None:
    assert snapshot(service(annotations={})).services == {}
    seen = snapshot(service(annotations={}), plans=[plan_object()])
    assert ID in seen.services
    assert seen.opted_in() == ()
