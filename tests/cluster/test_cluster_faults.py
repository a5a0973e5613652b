"""Faults: whatever fails around the controller, in no case is a service scaled down by that.

One service stays under load throughout. Each test makes something fail, sees that the controller goes on
afterwards, and asks the audit log whether a minimum was written meanwhile that the load does not bear.
"""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.controllers import Running
from tests.cluster.knative import NAMESPACE, ready
from tests.cluster.rest import until
from tests.cluster.served import Served, opted_in
from tests.cluster.witness import WHO, writes, written_minima

LOAD_RPS, NEEDED = 12.0, 2
"""One replica serves at most 10 requests/s, and not within 400 ms."""
LEASE = "/apis/coordination.k8s.io/v1/namespaces/barista-system/leases/barista-controller"


@pytest.fixture(scope="module")
def model(cluster: Cluster, controller: Running) -> Iterator[Served]:
    """A service under load, scaled as the load needs."""
    namespace = cluster.create_namespace("faults")
    served = opted_in(cluster, namespace, "model", "floor", "--scale-max", "8")
    with served.load(LOAD_RPS):
        until(lambda: served.minimum() >= NEEDED, "a raised minimum", 90)
        until(lambda: len(served.ready()) >= NEEDED, "the replicas", 60)
        yield served
    cluster.rest.delete(f"/api/v1/namespaces/{namespace}")


@contextlib.contextmanager
def held(cluster: Cluster, model: Served) -> Iterator[None]:
    """Within, nothing is lowered below what the load needs."""
    before = len(written_minima(cluster, model.namespace))
    assert model.minimum() >= NEEDED
    yield
    assert [n for _, n in written_minima(cluster, model.namespace)[before:] if n < NEEDED] == []
    assert model.minimum() >= NEEDED
    assert len(model.ready()) >= NEEDED


def until_cycles(controller: Running, count: int = 2) -> None:
    """Wait for some cycles of the controller."""
    for _ in range(count):
        _until_cycle_after(_cycle(controller), controller)


def test_a_controller_that_is_killed_lowers_nothing_and_the_next_one_goes_on(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    with held(cluster, model):
        controller.end(signal.SIGKILL)
        controller.start()
        until_cycles(controller)


def test_workers_that_are_killed_are_replaced_and_that_can_be_seen(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    def rebuilt() -> bool:
        return 'barista_worker_pools_rebuilt{pool="plans"} 1.0' in controller.ask("/metrics")

    with held(cluster, model):
        for child in psutil.Process(controller.process_id).children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
        until(rebuilt, "a new pool", 30)
        until_cycles(controller)
        until(lambda: model.condition("OptimizationSucceeded").startswith("True"), "plans again", 30)


def test_an_api_server_that_was_away_is_found_again_and_expired_watches_begin_anew(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    with held(cluster, model):
        before = len(_of_pods(cluster))
        cluster.stop("apiserver")
        try:
            # Longer than a leader may act without its Lease.
            until(lambda: "barista_leader 0.0" in controller.ask("/metrics"), "a leader that may not act")
            oldest = cluster.forget_versions()
        finally:
            cluster.start("apiserver")
        controller.until_leading()
        until_cycles(controller)
        until(lambda: len(_of_pods(cluster)) >= before + 3, "a watch, a list, and a watch")
    expired, listed, watched = _of_pods(cluster)[before : before + 3]
    assert [expired[0], listed[0], watched[0]] == ["watch", "list", "watch"]
    assert int(expired[1]) < oldest <= int(watched[1])
    said = cluster.rest.get(f"/api/v1/pods?watch=true&resourceVersion={expired[1]}")
    assert (said["type"], said["object"]["code"]) == ("ERROR", 410)


def test_a_stalled_leader_is_replaced_and_does_not_act_when_it_wakes(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    second = Running(cluster, controller.configuration.parent, "second")
    second.start(leading=False)
    assert "barista_leader 0.0" in second.ask("/metrics")
    try:
        with held(cluster, model):
            controller.send(signal.SIGSTOP)
            second.until_leading()
            controller.send(signal.SIGCONT)
            until_cycles(second)
            assert "barista_leader 0.0" in controller.ask("/metrics")
            assert cluster.rest.get(LEASE)["spec"]["holderIdentity"] == "second"
            # One that ends gives the Lease up, and the other goes on at once.
            second.end()
            controller.until_leading()
            until_cycles(controller)
    finally:
        controller.send(signal.SIGCONT)
        second.end()


def test_without_prometheus_nothing_is_lowered_nor_when_it_comes_back(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    with held(cluster, model):
        cluster.stop("prometheus")
        until(lambda: model.condition("MetricsAvailable").startswith("False"), "blindness that is told", 60)
        until_cycles(controller)
        cluster.start("prometheus")
        until(lambda: model.condition("MetricsAvailable") == "True Fresh", "sight again", 60)
        until_cycles(controller)


def test_where_knatives_autoscaler_does_not_follow_the_replicas_are_started_all_the_same(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    with held(cluster, model):
        _autoscalers(cluster, 0)
        try:
            with model.load(2 * LOAD_RPS):
                until(lambda: ("deployments/scale", _deployment(model)) in writes(cluster), "help", 60)
                until(lambda: len(model.ready()) >= model.minimum() > NEEDED, "the replicas", 30)
        finally:
            _autoscalers(cluster, 1)
        until(lambda: ready(cluster.rest), "Knative", 60)


def test_bounds_that_somebody_else_wrote_are_left_alone_for_a_while_and_that_is_told(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    insisted = ("7", "7")

    def noticed() -> bool:
        if model.bounds() != insisted:
            model.bound(*insisted)
        return "BoundsReverted" in {event["reason"] for event in model.events()}

    with held(cluster, model):
        until(noticed, "an Event")
        until_cycles(controller)
        assert model.bounds() == insisted
        assert model.condition("Applied").startswith("False")


def test_bounds_that_somebody_else_wrote_while_no_controller_ran_are_noticed_too(
    cluster: Cluster, model: Served, controller: Running
) -> None:
    def told() -> int:
        return sum(event["reason"] == "BoundsReverted" for event in model.events())

    controller.end()
    before = told()
    insisted = ("6", "6")
    model.bound(*insisted)
    with held(cluster, model):
        controller.start()
        until(lambda: told() > before, "an Event")
        assert model.bounds() == insisted
        until(lambda: model.condition("Applied").startswith("False"), "a condition")


def test_a_clock_that_jumps_lowers_nothing(
    cluster: Cluster, model: Served, controller: Running, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    controller.end()
    controller.start(clock)
    until_cycles(controller)
    with held(cluster, model):
        for jump in ("3600", "-3600", "0"):
            clock.write_text(jump)
            until_cycles(controller)
        until(lambda: model.condition("MetricsAvailable") == "True Fresh", "sight again", 60)


def _deployment(model: Served) -> str:
    return f"{model.revisions()[-1]['metadata']['name']}-deployment"


def _autoscalers(cluster: Cluster, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/autoscaler/scale"
    cluster.rest.patch(path, {"spec": {"replicas": replicas}})
    until(lambda: len(cluster.pods(NAMESPACE, "app=autoscaler")) == replicas, "Knative's autoscaler")


def _until_cycle_after(seen: float | None, controller: Running) -> None:
    until(lambda: _cycle(controller) not in (None, seen), "a cycle", 60)


def _cycle(controller: Running) -> float | None:
    """When the controller's latest cycle was."""
    said = controller.ask("/v1/plans")
    at: float | None = json.loads(said).get("at") if said.startswith("{") else None
    return at


def _of_pods(cluster: Cluster) -> list[tuple[str, str]]:
    """Each list and watch of the pods by the controller that was let through: from which version on."""
    found: dict[str, tuple[str, str]] = {}
    for event in cluster.audit():
        is_ours = event["user"]["username"] == WHO and event.get("objectRef", {}).get("resource") == "pods"
        if is_ours and event["verb"] in ("list", "watch") and event["responseStatus"]["code"] == 200:
            asked = parse_qs(urlsplit(event["requestURI"]).query)
            found.setdefault(event["auditID"], (event["verb"], asked.get("resourceVersion", [""])[0]))
    return list(found.values())
