"""Prometheus beside the cluster: scrapes what the process kubelet lists, every two seconds.

It runs on this machine, not in a pod, and listens on the pods' bridge; pods know it as
``prometheus.monitoring:9090``.
"""

from pathlib import Path

import yaml

from tests.cluster.components import Component
from tests.cluster.rest import Rest

PORT = 9090
SCRAPE_EVERY = "2s"
NAMESPACE, NAME = "monitoring", "prometheus"


def component(address: str, targets: Path, directory: Path) -> Component:
    """The server on `address`, reading endpoints from the file `targets`."""
    pods = {"job_name": "pods", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
    times = {"scrape_interval": SCRAPE_EVERY, "scrape_timeout": SCRAPE_EVERY}
    config = directory / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"global": times, "scrape_configs": [pods]}))
    argv = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address={address}:{PORT}",
        "--log.level=warn",
    ]
    return Component("prometheus", argv, directory / "prometheus.log")


def announce(rest: Rest, address: str) -> None:
    """Give it a name in the cluster: a Service whose one endpoint is this machine."""
    rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    ports = [{"name": "http", "port": PORT, "protocol": "TCP"}]
    meta = {"name": NAME, "namespace": NAMESPACE}
    rest.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}})
    rest.apply(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": ports,
        }
    )
