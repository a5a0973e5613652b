"""Keeping certificates: two replicas share one Secret, and the API server learns whom to trust."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from barista.platforms.knative.client import ApiServer, Refused
from barista.webhook.certificates import SERVING_DAYS, Certificates
from barista.webhook.rotation import Keeper, Place

PLACE = Place("barista-system", "certificates", "barista-webhook", ("barista-webhook.barista-system.svc",))
SECRET = "/api/v1/namespaces/barista-system/secrets/certificates"
HOOKS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations/barista-webhook"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Cluster(ApiServer):
    """A Secret and the webhook configurations, with resource versions as the API server keeps them."""

    def __init__(self) -> None:
        hooks = {"webhooks": [{"name": name, "clientConfig": {}} for name in ("pods", "revisions")]}
        self.objects: dict[str, dict[str, Any]] = {
            SECRET: {"metadata": {"resourceVersion": "1"}},
            HOOKS.format("mutating"): copy.deepcopy(hooks),
            HOOKS.format("validating"): copy.deepcopy(hooks),
        }
        self.writes: list[str] = []
        self.first: Keeper | None = None

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        found = copy.deepcopy(self.objects[path])
        if self.first is not None and path == SECRET:
            other, self.first = self.first, None
            other.look(NOW)
        return found

    def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        version = self.objects[path]["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != version:
            raise Refused(409, "Conflict", f"{path}: the object has been modified")
        self.objects[path] = {**body, "metadata": {"resourceVersion": f"{int(version) + 1}"}}
        self.writes.append(path)
        return self.objects[path]

    def patch(self, path: str, body: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
        assert kind == "application/strategic-merge-patch+json"
        for change in body["webhooks"]:
            (hook,) = (hook for hook in self.objects[path]["webhooks"] if hook["name"] == change["name"])
            hook["clientConfig"] |= change["clientConfig"]
        self.writes.append(path)
        return self.objects[path]


def test_a_first_look_makes_certificates_and_tells_the_api_server_whom_to_trust() -> None:
    cluster, installed = Cluster(), list[Certificates]()
    Keeper(cluster, PLACE, installed.append).look(NOW)
    (made,) = installed
    assert Certificates.read(cluster.objects[SECRET]["data"]) == made
    bundles = {
        hook["clientConfig"]["caBundle"]
        for path in (HOOKS.format("mutating"), HOOKS.format("validating"))
        for hook in cluster.objects[path]["webhooks"]
    }
    assert bundles == {made.data()["ca-bundle.crt"]}


def test_a_look_at_what_is_good_writes_nothing() -> None:
    cluster, installed = Cluster(), list[Certificates]()
    keeper = Keeper(cluster, PLACE, installed.append)
    keeper.look(NOW)
    cluster.writes.clear()
    keeper.look(NOW + timedelta(days=1))
    assert cluster.writes == []
    assert len(installed) == 1


def test_what_is_due_is_renewed_and_served() -> None:
    cluster, installed = Cluster(), list[Certificates]()
    keeper = Keeper(cluster, PLACE, installed.append)
    keeper.look(NOW)
    cluster.writes.clear()
    keeper.look(NOW + timedelta(days=SERVING_DAYS * 0.7))
    assert cluster.writes == [SECRET]
    assert len(installed) == 2


def test_of_two_replicas_that_start_at_once_both_serve_what_one_made() -> None:
    cluster, one, other = Cluster(), list[Certificates](), list[Certificates]()
    cluster.first = Keeper(cluster, PLACE, one.append)
    Keeper(cluster, PLACE, other.append).look(NOW)
    assert one == other
    assert cluster.writes.count(SECRET) == 1
