"""A controller beside the cluster, with the rights that the manifests give it and no others.

It runs as a process of the test session, so that tests can stall and kill it, and turn its clock.
"""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.components import without_proxies
from tests.cluster.installed import ROOT, install
from tests.cluster.rest import until

INSTALLED = ("crds.yaml", "namespace.yaml", "rbac-controller.yaml")
LEASE_S = 8.0
"""Short: tests wait until it has run out."""
CONFIGURATION = """
pools: {cpu: {cpu: 60, memory_gib: 200}}
flavors: {cpu-1: {pool: cpu, cpu: 1, memory_gib: 0.25, cost_per_hour: 0.05}}
defaults: {min_replicas: 0, forecaster: {name: last-value}}
planner: {name: greedy}
control: {cycle_s: 2, step_min_s: 5, step_max_s: 5, window_s: 12, stabilisation_s: 12, stale_after_s: 15}
"""


class Running:
    """A controller of this `name`; its configuration is the file `barista.yaml` in `directory`."""

    def __init__(self, cluster: Cluster, directory: Path, name: str = "first") -> None:
        self._cluster, self._directory, self.name = cluster, directory, name
        self.configuration = directory / "barista.yaml"
        if not self.configuration.exists():
            self.configuration.write_text(CONFIGURATION)
        self.kubeconfig = cluster.service_account_kubeconfig("barista-system", "barista-controller")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def start(self, clock: Path | None = None, *, leading: bool = True) -> None:
        """Start it, and wait until it is ready, and leads if it is to. Its clock is off as `clock` says."""
        program = ("barista",) if clock is None else ("tests.cluster.skewed", str(clock))
        command = [sys.executable, "-m", *program, "controller", "--bind", "127.0.0.1"]
        options = {
            "--config": self.configuration,
            "--kubeconfig": self.kubeconfig,
            "--prometheus": self._cluster.prometheus_url,
            "--port": self.port,
            "--identity": self.name,
            "--lease-s": LEASE_S,
        }
        arguments = [str(part) for pair in options.items() for part in pair]
        with (self._directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *arguments], stdout=log, stderr=log, env=without_proxies(), cwd=ROOT
            )
        until(lambda: self.ask("/readyz") == "ok", "a ready controller", 90)
        if leading:
            self.until_leading()

    def until_leading(self) -> None:
        """Wait until it leads."""
        until(lambda: "barista_leader 1.0" in self.ask("/metrics"), f"the leading of {self.name}", 90)

    @property
    def process_id(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and wait for that; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)

    def ask(self, path: str, question: bytes | None = None) -> str:
        """What its API says; nothing while it does not answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            if question is None:
                return requests.get(url, timeout=5).text
            return requests.post(url, data=question, timeout=5).text
        except requests.RequestException:
            return ""


def installed(cluster: Cluster) -> None:
    """Install what a controller needs: the kinds, the namespace, its account and its roles."""
    files = (ROOT / "manifests" / "base" / name for name in INSTALLED)
    install(cluster, [obj for file in files for obj in yaml.safe_load_all(file.read_text()) if obj])
