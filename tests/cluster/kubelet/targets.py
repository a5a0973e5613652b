"""Metric endpoints of the pods as Prometheus' file_sd reads them.

A pod's ports named `http-usermetric` (queue-proxy's request metrics), `metrics` and `http-metrics` are
scraped. The labels are those that a PodMonitor gives: namespace, pod and container, and for Knative's pods
service, configuration and revision.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.client import Object

PORTS = {"http-usermetric", "metrics", "http-metrics"}
_KNATIVE = "serving.knative.dev/"


def write(path: Path, pods: Iterable[tuple[Object, str]]) -> None:
    """Write the endpoints of `pods` (each with its address), if they changed."""
    groups = [group for pod, address in pods for group in _groups(pod, address)]
    text = json.dumps(sorted(groups, key=lambda group: group["targets"]))
    if not path.exists() or path.read_text() != text:
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.rename(path)


def _groups(pod: Object, address: str) -> list[Object]:
    meta = pod["metadata"]
    known = meta.get("labels") or {}
    labels = {"namespace": meta["namespace"], "pod": meta["name"]}
    for name in ("service", "configuration", "revision"):
        if value := known.get(_KNATIVE + name):
            labels[name] = value
    return [
        {
            "targets": [f"{address}:{port['containerPort']}"],
            "labels": {**labels, "container": container["name"]},
        }
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("name") in PORTS
    ]
