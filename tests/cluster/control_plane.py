"""A real control plane on this machine: etcd, API server, controller manager and scheduler.

The API server listens on the pods' bridge, where this machine and the pods reach it and nobody else; the
others listen on loopback. Its audit log keeps every write, and all that is not the cluster's own machinery
in full.
"""

import socket
from collections.abc import Mapping
from pathlib import Path

import requests
import yaml

from tests.cluster.addresses import Addresses
from tests.cluster.certificates import Authority, Identity
from tests.cluster.components import Component
from tests.cluster.rest import Rest

DOMAIN = "cluster.local"
PORT = 6443
UP_WITHIN_S = 60.0
_ISSUER = f"https://kubernetes.default.svc.{DOMAIN}"
_MACHINERY = [
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:apiserver",
    "system:anonymous",
]
_STAND_INS = ["process-kubelet", "thin-network"]
_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": _STAND_INS},
        {
            "level": "None",
            "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*", "/openapi*", "/version", "/api*"],
        },
        {
            "level": "None",
            "verbs": ["get", "list", "watch"],
            "users": _MACHINERY,
        },
        {
            "level": "None",
            "verbs": ["get", "list", "watch"],
            "userGroups": ["system:serviceaccounts:knative-serving", "system:serviceaccounts:kube-system"],
        },
        {"level": "Metadata", "users": _MACHINERY},
        {
            "level": "Metadata",
            "userGroups": ["system:serviceaccounts:knative-serving", "system:serviceaccounts:kube-system"],
        },
        {"level": "Request"},
    ],
}


class ControlPlane:
    """The four programs, in the order in which they need each other."""

    def __init__(self, programs: Mapping[str, Path], addresses: Addresses, directory: Path) -> None:
        self._directory = directory
        self._addresses = addresses
        self.server = f"https://{addresses.gateway}:{PORT}"
        self.audit_log = directory / "audit.log"
        self.authority = Authority(directory / "certificates")
        self.kubeconfig = self.kubeconfig_for("admin")
        etcd_url = f"http://127.0.0.1:{free_port()}"
        self.etcd_url = etcd_url
        self.components = {
            name: Component(name, argv, directory / f"{name}.log")
            for name, argv in (
                ("etcd", self._etcd(programs["etcd"])),
                ("apiserver", self._apiserver(programs["kube-apiserver"])),
                ("controller-manager", self._controller_manager(programs["kube-controller-manager"])),
                ("scheduler", self._scheduler(programs["kube-scheduler"])),
            )
        }

    def kubeconfig_for(self, user: str, group: str = "system:masters") -> Path:
        """A kubeconfig with a client certificate for `user`."""
        return self.authority.kubeconfig(user.removeprefix("system:"), self.server, Identity(user, group))

    def start(self, rest: Rest) -> None:
        """Start all four, and wait for the API server. NotUp."""
        self.components["etcd"].start()
        self.components["etcd"].until(self._etcd_up, UP_WITHIN_S)
        self.components["apiserver"].start()
        self.components["apiserver"].until(rest.ready, UP_WITHIN_S)
        self.components["controller-manager"].start()
        self.components["scheduler"].start()

    def _etcd_up(self) -> bool:
        try:
            return requests.get(f"{self.etcd_url}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def _etcd(self, program: Path) -> list[str]:
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            str(program),
            *("--name", "etcd", "--data-dir", str(self._directory / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", self.etcd_url, "--advertise-client-urls", self.etcd_url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"etcd={peer}", "--log-level", "warn"),
        ]

    def _apiserver(self, program: Path) -> list[str]:
        here = self._addresses
        names = ("localhost", *(f"kubernetes.default{tail}" for tail in ("", ".svc", f".svc.{DOMAIN}")))
        certificate, key = self.authority.serving("apiserver", (here.gateway, here.kubernetes), names)
        public, private = self.authority.signing_key("service-accounts")
        policy = self._directory / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_AUDIT))
        return [
            str(program),
            f"--etcd-servers={self.etcd_url}",
            f"--bind-address={here.gateway}",
            f"--advertise-address={here.gateway}",
            f"--secure-port={PORT}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self.authority.certificate}",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            f"--service-cluster-ip-range={here.services}",
            "--authorization-mode=RBAC",
            # Webhooks are dialled at their pods' addresses, which this machine reaches over the bridge.
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
            # Megabytes: in one file for the longest session.
            "--audit-log-maxsize=4096",
            "--profiling=false",
        ]

    def _controller_manager(self, program: Path) -> list[str]:
        kubeconfig = self.kubeconfig_for("system:kube-controller-manager")
        return [
            str(program),
            f"--kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self._directory / 'certificates' / 'service-accounts.key'}",
            f"--root-ca-file={self.authority.certificate}",
        ]

    def _scheduler(self, program: Path) -> list[str]:
        return [
            str(program),
            f"--kubeconfig={self.kubeconfig_for('system:kube-scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--leader-elect=false",
        ]


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
