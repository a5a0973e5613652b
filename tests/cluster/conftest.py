"""The cluster of the tests: one for the whole session, found or started at its first use."""

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster import build
from tests.cluster import cluster as clusters
from tests.cluster.controllers import Running, installed
from tests.cluster.installed import DEPLOYMENTS, HOOKS, WEBHOOK, install, rendered
from tests.cluster.rest import until

CONTROLLER = ("Deployment", "barista-controller")
HOOKING = ("mutating", "validating")


@pytest.fixture(scope="session")
def cluster() -> Iterator[clusters.Cluster]:
    """A cluster with Knative ready: KUBECONFIG's where that is given, one of this machine's own otherwise."""
    try:
        if given := os.environ.get("KUBECONFIG"):
            yield clusters.attached(Path(given))
            return
        with clusters.running() as started:
            yield started
    except clusters.Lacking as lacking:
        pytest.skip(str(lacking))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: a cold build takes longer than any test may."""
    wanted = any("cluster" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly and not os.environ.get("KUBECONFIG"):
        # What goes wrong here goes wrong again in the fixture, and is told there.
        with contextlib.suppress(clusters.Lacking, build.BuildError):
            clusters.check_machine()
            build.everything()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """A test that asks more than this cluster can do is skipped: what it lacks is no fault of the code."""
    try:
        return (yield)
    except clusters.Lacking as lacking:
        pytest.skip(str(lacking))


@pytest.fixture
def namespace(cluster: clusters.Cluster) -> Iterator[str]:
    """A namespace for one test, deleted after it."""
    name = cluster.create_namespace()
    yield name
    cluster.rest.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def controller(cluster: clusters.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A controller that leads, for the tests of one file."""
    installed(cluster)
    running = Running(cluster, tmp_path_factory.mktemp("controller"))
    running.start()
    yield running
    running.end()


@pytest.fixture(scope="module")
def webhook(cluster: clusters.Cluster) -> Iterator[clusters.Cluster]:
    """The cluster with all that the base installs but the controller, and CPU flavors."""
    objects = rendered("cpu-profiles")
    install(cluster, [o for o in objects if (o["kind"], o["metadata"]["name"]) != CONTROLLER])
    until(lambda: _trusted(cluster), "the authorities in the webhook configurations")
    yield cluster
    for kind in HOOKING:
        cluster.rest.delete(HOOKS.format(kind))
    cluster.rest.delete(f"{DEPLOYMENTS}/{WEBHOOK}")


def _trusted(cluster: clusters.Cluster) -> bool:
    hooks = [hook for kind in HOOKING for hook in cluster.rest.get(HOOKS.format(kind))["webhooks"]]
    return all(hook["clientConfig"].get("caBundle") for hook in hooks)
