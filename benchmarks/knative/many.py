"""Many services at rest: what it costs to watch over them.

The services are scaled to zero, opted in with `floor`, and nobody asks them anything. Counted over some
cycles after all has settled: the time of a cycle, the controller's memory with its workers, its queries
to Prometheus and its writes to the API server (the leader's own Lease apart).
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import requests

from barista.platforms.knative.annotations import AUTHORITY, LATENCY_SLO, PROFILE
from tests.cluster.cluster import Cluster
from tests.cluster.controllers import Running, installed
from tests.cluster.images import STUB
from tests.cluster.rest import Object, until
from tests.cluster.served import OURS, SERVING, profile_of
from tests.cluster.witness import WRITING, audited, kind_of

CYCLES = 6
CYCLE_S = 10
SETTLED_S, READY_WITHIN_S = 60.0, 900.0
MODEL = "stub"
CONFIGURATION = f"""
pools: {{cpu: {{cpu: 4000, memory_gib: 4000}}}}
flavors: {{cpu-1: {{pool: cpu, cpu: 1, memory_gib: 0.25, cost_per_hour: 0.05}}}}
defaults:
  min_replicas: 0
  forecaster: {{name: ensemble, options: {{members: [seasonal-naive, last-value, ridge, smoothing, burst]}}}}
control: {{cycle_s: {CYCLE_S}}}
"""


def many(cluster: Cluster, directory: Path, count: int) -> str:
    """The figures for `count` services."""
    installed(cluster)
    namespace = cluster.create_namespace("many")
    cluster.rest.create(f"{OURS}/namespaces/{namespace}/executionprofiles", profile_of(namespace, MODEL, 4.0))
    made_s = _create(cluster, namespace, count)
    (directory / "barista.yaml").write_text(CONFIGURATION)
    controller = Running(cluster, directory)
    controller.start()
    try:
        until(
            lambda: f'barista_services{{state="scaled"}} {count}.0' in controller.ask("/metrics"), "all", 120
        )
        time.sleep(SETTLED_S)
        before, queries, asked = _cycles(controller), _queries(cluster), len(audited(cluster))
        until(lambda: _cycles(controller)[0] >= before[0] + CYCLES, "cycles", CYCLES * CYCLE_S * 4)
        after = _cycles(controller)
        writes = [kind_of(e) for e in audited(cluster)[asked:] if e["verb"] in WRITING]
        if "leases" not in writes:
            raise AssertionError("the audit log shows no renewal of the Lease: it cannot tell who wrote what")
        whole = psutil.Process(controller.process_id)
        memory = [p.memory_info().rss / 2**20 for p in (whole, *whole.children(recursive=True))]
    finally:
        controller.end()
    cycles = after[0] - before[0]
    return "\n".join(
        (
            f"{count} services at rest (made in {made_s:.0f} s), over {cycles:.0f} cycles",
            f"cycle: {(after[1] - before[1]) / cycles:.3f} s on average",
            f"memory: {memory[0]:.0f} MiB, with {len(memory) - 1} workers {sum(memory):.0f} MiB",
            f"Prometheus: {(_queries(cluster) - queries) / cycles:.1f} queries a cycle",
            f"API server: {len([kind for kind in writes if kind != 'leases'])} writes",
        )
    )


def _create(cluster: Cluster, namespace: str, count: int) -> float:
    """Make the services, and wait until all are ready: the seconds that took."""
    began_s, path = time.monotonic(), f"{SERVING}/namespaces/{namespace}/services"
    with ThreadPoolExecutor(4) as makers:
        list(makers.map(lambda n: cluster.rest.create(path, _service(f"model-{n:03}")), range(count)))

    def ready() -> bool:
        time.sleep(2)
        return sum(_is_ready(one) for one in cluster.rest.items(path)) == count

    until(ready, f"{count} ready services", READY_WITHIN_S)
    return time.monotonic() - began_s


def _service(name: str) -> Object:
    scale = {f"autoscaling.knative.dev/{end}-scale": text for end, text in (("initial", "0"), ("max", "5"))}
    spec = {"containerConcurrency": 1, "containers": [{"image": STUB}]}
    marks = {LATENCY_SLO: "400ms", AUTHORITY: "floor", PROFILE: MODEL}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": marks},
        "spec": {"template": {"metadata": {"annotations": scale}, "spec": spec}},
    }


def _is_ready(service: Object) -> bool:
    conditions = (service.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _cycles(controller: Running) -> tuple[float, float]:
    """How many cycles there were, and their seconds together."""
    text = controller.ask("/metrics")
    return _sum("barista_cycle_seconds_count", text), _sum("barista_cycle_seconds_sum", text)


def _queries(cluster: Cluster) -> float:
    """How many queries Prometheus has answered."""
    text = requests.get(f"{cluster.prometheus_url}/metrics", timeout=10).text
    return _sum(r'prometheus_http_requests_total\{[^}]*handler="/api/v1/query(?:_range)?"[^}]*\}', text)


def _sum(series: str, text: str) -> float:
    return sum(map(float, re.findall(rf"^{series} (\S+)$", text, re.MULTILINE)))
