"""The witness is asked last: what did the controller do in all these tests, and was it allowed to?

Named so that it comes after the other files of this folder.
"""

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.installed import ROOT
from tests.cluster.rest import Object
from tests.cluster.witness import WRITING, audited, kind_of

RIGHTS_OF = ROOT / "manifests" / "base" / "rbac-controller.yaml"
EXPECTED = {
    ("create", "scalingplans"),
    ("patch", "scalingplans/status"),
    ("patch", "revisions"),
    ("patch", "deployments/scale"),
    ("patch", "pods/resize"),
    ("create", "events"),
    ("create", "leases"),
    ("update", "leases"),
}


@pytest.fixture(scope="module")
def requests(cluster: Cluster) -> list[Object]:
    """All that the controller ever asked; those tests skip where it did not run."""
    found = audited(cluster)
    if not found:
        pytest.skip("no controller ran in this cluster: run the whole folder")
    return found


def test_every_write_is_one_that_is_meant(requests: list[Object]) -> None:
    assert {(e["verb"], kind_of(e)) for e in requests if e["verb"] in WRITING} <= EXPECTED


def test_on_revisions_only_the_scale_bounds_were_written(requests: list[Object]) -> None:
    patches = [e["requestObject"] for e in requests if e["verb"] == "patch" and kind_of(e) == "revisions"]
    assert patches
    for patch in patches:
        assert set(patch) == {"metadata"}
        assert set(patch["metadata"]) == {"annotations"}
        assert set(patch["metadata"]["annotations"]) == {
            "autoscaling.knative.dev/min-scale",
            "autoscaling.knative.dev/max-scale",
        }


def test_nothing_was_refused_for_want_of_a_right(cluster: Cluster, requests: list[Object]) -> None:
    refused = [e for e in requests if e["responseStatus"]["code"] in (401, 403)]
    # The namespace of a test that is over takes no more Events; an API server that begins knows no role yet.
    told = [e for e in refused if not _excused(e, cluster)]
    assert [e["responseStatus"].get("message") for e in told] == []


def test_every_right_that_the_manifests_give_was_used(requests: list[Object]) -> None:
    objects = [obj for obj in yaml.safe_load_all(RIGHTS_OF.read_text()) if obj]
    rules = [rule for obj in objects for rule in obj.get("rules", ())]
    given = {(verb, what) for rule in rules for verb in rule["verbs"] for what in rule["resources"]}
    used = {(e["verb"], kind_of(e)) for e in requests if e["responseStatus"]["code"] < 300}
    assert given - used == set()


def _excused(event: Object, cluster: Cluster) -> bool:
    ending = "being terminated" in event["responseStatus"].get("message", "")
    at = event["requestReceivedTimestamp"]
    return ending or any(began <= at <= known for began, known in cluster.api_server_starts)
