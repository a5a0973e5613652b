"""Flavors: a running service changes its flavor family under load, while another one keeps its own.

Webhook and controller work together here: the one gives new pods the flavor that the other has planned.
"""

from collections import Counter

from tests.cluster.cluster import Cluster
from tests.cluster.controllers import Running
from tests.cluster.rest import until
from tests.cluster.served import Served, opted_in, restarts

LOAD_RPS, NEEDED = 12.0, 2
"""One replica serves at most 10 requests/s."""
FLAVOR = "knative-barista.dev/flavor"


def test_a_running_service_changes_its_flavor_family_and_holds_two_until_the_new_one_serves(
    webhook: Cluster, namespace: str, controller: Running
) -> None:
    model = opted_in(webhook, namespace, "model", "floor", "--scale-max", "8", flavors="cpu-1")
    model.profile(4.0, "cpu-2")
    other = opted_in(webhook, namespace, "other", "floor", flavors="cpu-1")
    with model.load(LOAD_RPS), other.load(2):
        for one in (model, other):
            until(lambda one=one: one.plan().get("flavor") == "cpu-1", "a plan", 60)
            _replace(webhook, one)
        until(lambda: _ready(model)["cpu-1"] >= NEEDED and set(_ready(model)) == {"cpu-1"}, "replicas", 90)
        until(lambda: set(_ready(other)) == {"cpu-1"}, "a replica", 60)
        seen = list[Counter[str]]()
        model.annotate(flavors="cpu-2")

        def changed() -> bool:
            seen.append(_ready(model))
            return set(seen[-1]) == {"cpu-2"}

        until(changed, "replicas of the other family alone", 120)
        assert set(_ready(other)) == {"cpu-1"}
    assert min(ready.total() for ready in seen) >= NEEDED
    assert {"cpu-1", "cpu-2"} in [set(ready) for ready in seen]
    assert len(model.revisions()) == 1
    assert restarts(model.ready()) == 0


def _ready(model: Served) -> Counter[str]:
    """Its ready replicas by flavor."""
    return Counter(pod["metadata"]["annotations"].get(FLAVOR, "none") for pod in model.ready())


def _replace(cluster: Cluster, model: Served) -> None:
    """Delete its pods, which were there before there was a plan."""
    for pod in model.pods():
        cluster.rest.delete(f"/api/v1/namespaces/{model.namespace}/pods/{pod['metadata']['name']}")
