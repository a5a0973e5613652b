"""Whose word counts for a service's settings; and who is refused without harm to the others."""

from pathlib import Path
from typing import Any

import pytest
from knative_world import ID, plan_object, profile, service, snapshot

from barista.cli.reloading import ConfigurationFile
from barista.cli.roster import Roster, make_roster
from barista.platforms.knative.annotations import (
    AUTHORITY,
    FLAVORS,
    FORECASTER,
    LATENCY_SLO,
    PAUSED,
    PRIORITY,
    PROFILE,
)
from barista.platforms.knative.bounds import MAX_SCALE, MIN_SCALE
from barista.platforms.knative.resources import FlavorResource
from barista.settings import SettingsError, parse_settings
from barista.values.flavor import Flavor
from barista.values.service import Authority

SETTINGS: dict[str, Any] = {
    "pools": {"cpu": {"cpu": 32, "memory_gib": 64}},
    "flavors": {"cpu-1": {"pool": "cpu", "cpu": 1, "memory_gib": 2, "cost_per_hour": 0.05}},
    "defaults": {"max_replicas": 12, "min_replicas": 0, "forecaster": {"name": "seasonal-naive"}},
}


def flavor(name: str, pool: str = "cpu") -> dict[str, Any]:
    return FlavorResource.of(Flavor(name, pool, 2, 4, 0.1)).document()


def roster(*services: Any, **kinds: Any) -> Roster:
    kinds.setdefault("profiles", [profile()])
    return make_roster(parse_settings(SETTINGS, "here"), snapshot(*services, **kinds))


def test_annotations_count_more_than_the_plan_and_that_more_than_the_configuration() -> None:
    given = service(annotations={LATENCY_SLO: "100ms", FORECASTER: "last-value"})
    plan = plan_object(latencySlo="900ms", latencyPercentile=99, authority="pin")
    it = roster(given, plans=[plan]).services().get(ID)
    assert it is not None
    assert (it.slo.latency_s, it.slo.percentile) == (0.1, 0.99)
    assert (it.authority, it.forecaster.name) == (Authority.PIN, "last-value")


def test_bounds_and_concurrency_are_knatives_own_and_the_configurations_where_it_says_nothing() -> None:
    plain = roster(service(concurrency=0)).services().get(ID)
    assert plain is not None
    assert (plain.min_replicas, plain.max_replicas, plain.concurrency) == (0, 12, 2)
    told = roster(service(template={MIN_SCALE: "2", MAX_SCALE: "5"}, concurrency=4)).services().get(ID)
    assert told is not None
    assert (told.min_replicas, told.max_replicas, told.concurrency) == (2, 5, 4)
    unlimited = roster(service(template={MAX_SCALE: "0"})).services().get(ID)
    assert unlimited is not None
    assert unlimited.max_replicas == 12


def test_flavors_of_the_cluster_stand_beside_those_of_the_configuration() -> None:
    it = roster(flavors=[flavor("cpu-2"), flavor("lost", pool="moon")])
    assert set(it.watched.catalogue.flavors) == {"cpu-1", "cpu-2"}
    assert "no such pool 'moon'" in it.faults["Flavor lost"]


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ({LATENCY_SLO: "soon"}, "need a duration like 250ms"),
        ({LATENCY_SLO: "1s", FLAVORS: "gpu"}, "no such flavor; known: cpu-1"),
        ({LATENCY_SLO: "1s", FORECASTER: "https"}, "no such forecaster"),
        ({LATENCY_SLO: "1s", PROFILE: "bert"}, "no ExecutionProfile of model 'bert'"),
    ],
)
def test_who_names_what_is_not_there_is_refused_with_the_reason(annotations: Any, why: str) -> None:
    other = service()
    other["metadata"]["name"] = "other"
    it = roster(service(annotations=annotations), other, profiles=[profile(), profile("other")])
    assert why in it.refused[ID]
    assert [s.id for s in it.watched.services] == ["default/other"]


def test_a_service_counts_by_the_priority_it_states() -> None:
    (stated,) = roster(service(annotations={LATENCY_SLO: "1s", PRIORITY: "2"})).watched.services
    (usual,) = roster(service(annotations={LATENCY_SLO: "1s"})).watched.services
    assert (stated.priority, usual.priority) == (2, 1)


def test_a_paused_service_is_watched_and_marked() -> None:
    by_annotation = roster(service(annotations={LATENCY_SLO: "1s", AUTHORITY: "pin", PAUSED: "true"}))
    by_plan = roster(plans=[plan_object(paused=True)])
    assert by_annotation.paused == by_plan.paused == {ID}


GOOD = "pools: {cpu: {cpu: 32, memory_gib: 64}}\nflavors: {}\ncontrol: {cycle_s: %s}\n"


def test_a_changed_configuration_is_taken_and_a_bad_change_is_not(tmp_path: Path) -> None:
    path = tmp_path / "barista.yaml"
    path.write_text(GOOD % 30)
    it = ConfigurationFile(path)
    assert not it.follow()
    path.write_text(GOOD % 10)
    assert it.follow()
    assert it.settings.control.cycle_s == 10
    path.write_text(GOOD % "often")
    assert it.follow()
    assert "cycle_s" in it.fault
    assert it.settings.control.cycle_s == 10
    assert not it.follow()
    path.write_text(GOOD % 20)
    assert it.follow()
    assert (it.fault, it.settings.control.cycle_s) == ("", 20)
    path.unlink()
    assert it.follow()
    assert "cannot be read" in it.fault
    assert not it.follow()


def test_a_configuration_that_is_wrong_from_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        ConfigurationFile(tmp_path / "none.yaml")
