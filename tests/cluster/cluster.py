"""A whole cluster for tests: control plane, nodes, network, Knative, Prometheus, and what tests ask of it."""

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.cluster import addresses, build, images, knative, prometheus
from tests.cluster.certificates import kubeconfig as kubeconfig_text
from tests.cluster.components import Component, without_proxies
from tests.cluster.control_plane import DOMAIN, ControlPlane
from tests.cluster.kubelet.config import KubeletConfig, NodeShape
from tests.cluster.kubelet.images import Image
from tests.cluster.kubelet.images import read as read_images
from tests.cluster.kubelet.images import write as write_images
from tests.cluster.rest import Object, Rest, until

if TYPE_CHECKING:
    import kubernetes

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
POOL = "knative-barista.dev/pool"
NODES = (
    NodeShape("cpu-1", cpu=32, memory_gib=128, labels={POOL: "cpu"}),
    NodeShape("cpu-2", cpu=32, memory_gib=128, labels={POOL: "cpu"}),
    NodeShape(
        "gpu-1",
        cpu=16,
        memory_gib=64,
        gpus=4,
        labels={POOL: "gpu", "nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": "Tesla-T4"},
        taints=[GPU_TAINT],
    ),
)
KNATIVE_WITHIN_S = 180.0
API_SERVER_WITHIN_S = 60.0


class Lacking(Exception):
    """This machine lacks what a cluster needs; the message says what."""


class CommandFailed(Exception):
    """A command ended with an error; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a running cluster is reached, also by another process (cluster.json beside the kubeconfig)."""

    kubeconfig: str
    authority: str
    ingress_url: str
    prometheus_url: str
    etcd_url: str
    audit_log: str
    directory: str


class Cluster:
    """A running cluster. `components` is empty for one that another process runs."""

    def __init__(self, places: Places, components: dict[str, Component]) -> None:
        self.kubeconfig = Path(places.kubeconfig)
        self.ingress_url = places.ingress_url
        self.prometheus_url = places.prometheus_url
        self.authority = Path(places.authority)
        self._etcd_url = places.etcd_url
        self.rest = Rest(self.kubeconfig, self.authority)
        self._audit_log = Path(places.audit_log)
        self._audited, self._audit_read = list[Object](), 0
        self._directory = Path(places.directory)
        self._components = components
        self.api_server_starts: list[tuple[str, str]] = []
        """When it was started again, and when it was ready: UTC, as in the audit log."""
        self._client: kubernetes.client.ApiClient | None = None

    @property
    def api(self) -> "kubernetes.client.ApiClient":
        """The Kubernetes client, as admin."""
        from kubernetes import client, config

        if self._client is None:
            settings = client.Configuration()
            config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has no annotations
                str(self.kubeconfig), client_configuration=settings
            )
            self._client = client.ApiClient(settings)
        return self._client

    def kn(self, *args: str, within_s: float = 120.0) -> str:
        """What the real `kn` prints. CommandFailed with what it said."""
        command = [str(build.program("kn", "kn")), "--kubeconfig", str(self.kubeconfig), *args]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=within_s, check=False, env=without_proxies()
        )
        if done.returncode:
            raise CommandFailed(f"kn {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def call(self, host: str, path: str = "/", **options: Any) -> requests.Response:
        """Ask the service at `host` (or its status.url) through the ingress; POST when there is data."""
        host = host.removeprefix("http://").rstrip("/")
        method = "POST" if {"data", "json"} & set(options) else "GET"
        headers = {**options.pop("headers", {}), "Host": host}
        options.setdefault("timeout", 60)
        return requests.request(method, self.ingress_url + path, headers=headers, **options)

    def create_namespace(self, prefix: str = "test") -> str:
        """A fresh namespace's name, its default service account there."""
        name = f"{prefix}-{secrets.token_hex(3)}"
        self.rest.create("/api/v1/namespaces", {"metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        until(lambda: self.rest.find(account), f"service account of {name}")
        return name

    def pods(self, namespace: str, selector: str = "") -> list[Object]:
        """The pods of a namespace, or those that a label selector finds."""
        return self.rest.items(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """What a container wrote, all its runs together (`kubectl logs` has no kubelet to ask)."""
        found = (self._directory / "kubelet" / "pods").glob(f"{namespace}_{pod}_*/logs/{container}.log")
        return "".join(path.read_text(errors="replace") for path in found)

    def image(self, name: str, entrypoint: Sequence[str], **options: Any) -> str:
        """Let `name` stand for a command from now on; returns `name`."""
        path = self._directory / "kubelet" / "images.json"
        write_images(path, read_images(path) | {name: Image(list(entrypoint), **options)})
        return name

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig that speaks as a service account, with nothing but its own rights."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.rest.create(path, {"spec": {"expirationSeconds": 24 * 3600}})["status"]["token"]
        target = self._directory / f"{namespace}-{name}.kubeconfig"
        target.write_text(kubeconfig_text(self.rest.server, self.authority, {"token": token}))
        return target

    def audit(self) -> list[Object]:
        """The audit log so far: one event a request, oldest first."""
        with self._audit_log.open("rb") as log:
            log.seek(self._audit_read)
            # The last line may still be in writing.
            whole = log.read().rpartition(b"\n")[0]
        if whole:
            self._audit_read += len(whole) + 1
            self._audited += [json.loads(line) for line in whole.splitlines()]
        return list(self._audited)

    def stop(self, component: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop etcd, apiserver, controller-manager, scheduler, kubelet, network or prometheus."""
        self._component(component).stop(number)

    def start(self, component: str) -> None:
        """Start a component again, and wait for the API server when it is that."""
        began = _now()
        self._component(component).start()
        if component == "apiserver":
            self._component(component).until(self.rest.ready, API_SERVER_WITHIN_S)
            self.api_server_starts.append((began, _now()))

    def restart(self, component: str) -> None:
        """Stop and start a component."""
        self.stop(component)
        self.start(component)

    def forget_versions(self) -> int:
        """Let etcd forget every version of the objects but the last, which it returns.

        The API server still remembers versions in its own memory: stop it before.
        """

        def etcd(what: str, body: Object) -> Object:
            answer = requests.post(f"{self._etcd_url}/v3/kv/{what}", json=body, timeout=30)
            answer.raise_for_status()
            found: Object = answer.json()
            return found

        key = base64.b64encode(b"forgotten").decode()
        revision = etcd("put", {"key": key, "value": key})["header"]["revision"]
        etcd("compaction", {"revision": revision, "physical": True})
        return int(revision)

    def _component(self, name: str) -> Component:
        if not self._components:
            raise Lacking(
                "this cluster belongs to another process: only that can stop and start its components"
            )
        return self._components[name]


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A cluster of this machine's own, with Knative ready; gone afterwards. Lacking, BuildError, NotUp."""
    build.program("kn", "kn")
    with kubernetes_running() as cluster:
        knative.install(cluster.rest)
        until(lambda: knative.ready(cluster.rest), "Knative", KNATIVE_WITHIN_S)
        yield cluster


@contextlib.contextmanager
def kubernetes_running(nodes: Sequence[NodeShape] = NODES) -> Iterator[Cluster]:
    """The same without Knative: control plane, nodes, network, Prometheus."""
    check_machine()
    programs, table = build.control_plane_programs(), images.table()
    place = addresses.claim()
    directory = place.make_directory()
    components: dict[str, Component] = {}
    try:
        place.make_bridge()
        plane = ControlPlane(programs, place, directory)
        config = KubeletConfig(
            kubeconfig=plane.kubeconfig_for("process-kubelet"),
            directory=directory / "kubelet",
            bridge=place.bridge,
            gateway=place.gateway,
            domain=DOMAIN,
            nodes=tuple(nodes),
        )
        config.directory.mkdir()
        write_images(config.images, table)
        components |= {
            **plane.components,
            "kubelet": _kubelet(config, directory),
            "network": _network(plane.kubeconfig_for("thin-network"), place, directory),
            "prometheus": prometheus.component(place.gateway, config.targets, directory),
        }
        places = Places(
            kubeconfig=str(plane.kubeconfig),
            authority=str(plane.authority.certificate),
            ingress_url=f"http://{place.gateway}",
            prometheus_url=f"http://{place.gateway}:{prometheus.PORT}",
            etcd_url=plane.etcd_url,
            audit_log=str(plane.audit_log),
            directory=str(directory),
        )
        (plane.kubeconfig.parent / "cluster.json").write_text(json.dumps(asdict(places)))
        cluster = Cluster(places, components)
        plane.start(cluster.rest)
        for name in ("kubelet", "network", "prometheus"):
            components[name].start()
        prometheus.announce(cluster.rest, place.gateway)
        until(lambda: len(cluster.rest.items("/api/v1/nodes")) == len(nodes), "the nodes")
        yield cluster
    finally:
        for component in reversed(components.values()):
            component.stop()
        place.release()
        shutil.rmtree(directory, ignore_errors=True)


def attached(kubeconfig: Path) -> Cluster:
    """The cluster that `make cluster` runs in another process, by its kubeconfig. Lacking for any other."""
    path = kubeconfig.parent / "cluster.json"
    if not path.exists():
        raise Lacking(
            f"{kubeconfig}: no cluster.json beside it: not a cluster of `make cluster`, and only that has"
            " the images, audit log and ingress that the tests ask for"
        )
    return Cluster(Places(**json.loads(path.read_text())), {})


def check_machine() -> None:
    """Whether pods can have network namespaces and file systems of their own here. Lacking otherwise."""
    for tool in ("ip", "unshare", "nsenter", "setpriv", "chroot", "mount", "prometheus"):
        if shutil.which(tool) is None:
            raise Lacking(f"{tool}: not on PATH")
    if os.geteuid() != 0:
        raise Lacking("not root: pods need network namespaces (`ip netns`) of their own")
    trial = "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/r && ip link add t0 type veth peer name t1 &&"
    trial += " mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", trial], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Lacking(
            f"network namespaces, veth pairs, overlay mounts: not all permitted here: {done.stderr.strip()}"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _kubelet(config: KubeletConfig, directory: Path) -> Component:
    path = directory / "kubelet.json"
    config.write(path)
    argv = ["unshare", "--mount", sys.executable, "-u", "-m", "tests.cluster.kubelet", str(path)]
    return Component("kubelet", argv, directory / "kubelet.log", {"PYTHONPATH": str(images.ROOT)})


def _network(kubeconfig: Path, place: addresses.Addresses, directory: Path) -> Component:
    argv = [sys.executable, "-u", "-m", "tests.cluster.network", str(kubeconfig)]
    argv += [place.bridge, place.gateway, DOMAIN]
    return Component("network", argv, directory / "network.log", {"PYTHONPATH": str(images.ROOT)})
