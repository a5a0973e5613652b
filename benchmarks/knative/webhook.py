"""Admission at a steady rate: pods of a planned service, asked about as the API server asks.

The questions go straight to one of the webhook's pods, over TLS, at their times whatever became of the
earlier ones. Latency counts from when a question was due; the API server waits 2 s at most.
"""

import asyncio
import base64
import ssl
import time
import uuid
from typing import Any

import aiohttp
import numpy as np

from tests.cluster.cluster import Cluster
from tests.cluster.images import STUB
from tests.cluster.installed import install, rendered
from tests.cluster.rest import Object, until
from tests.cluster.served import OURS

LASTING_S = 20.0
CONNECTIONS = 16
"""Kept open, as the API server keeps its own."""
HOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/barista-webhook"
PORT, NAME = 8443, "barista-webhook.barista-system.svc"


def admissions(cluster: Cluster, rate: float) -> str:
    """The figures at `rate` questions a second."""
    install(cluster, [o for o in rendered("cpu-profiles") if not _is_controller(o)])
    authority = until(lambda: _authority(cluster), "the webhook's authority")
    pod = _planned_pod(cluster)
    addresses = [p["status"]["podIP"] for p in cluster.pods("barista-system")]
    took_s, changed = asyncio.run(_ask(addresses[0], authority, pod, rate))
    p50, p95, p99 = np.quantile(took_s, (0.5, 0.95, 0.99)) * 1000
    return (
        f"{len(took_s)} admissions at {rate:g} a second to one webhook: {changed} given the planned flavor;"
        f" p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, longest {max(took_s) * 1000:.0f} ms"
    )


async def _ask(address: str, authority: str, pod: Object, rate: float) -> tuple[list[float], int]:
    """Latencies (s), and how many pods were changed."""
    trusted = ssl.create_default_context(cadata=authority)
    took_s, changed, sent = list[float](), 0, set[asyncio.Task[None]]()
    connector = aiohttp.TCPConnector(ssl=trusted, limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        began_s = time.monotonic()

        async def ask(due_s: float) -> None:
            nonlocal changed
            url = f"https://{address}:{PORT}/admit/pods"
            async with session.post(url, json=_review(pod), server_hostname=NAME) as answer:
                said: dict[str, Any] = await answer.json()
            took_s.append(time.monotonic() - began_s - due_s)
            changed += "patch" in said["response"]

        for n in range(int(LASTING_S * rate)):
            due_s = n / rate
            await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
            sent.add(asyncio.create_task(ask(due_s)))
        await asyncio.gather(*sent)
    return took_s, changed


def _review(pod: Object) -> Object:
    request = {"uid": str(uuid.uuid4()), "namespace": pod["metadata"]["namespace"], "operation": "CREATE"}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {**request, "object": pod},
    }


def _planned_pod(cluster: Cluster) -> Object:
    """A pod of a service that has a plan, as it would be made again."""
    namespace = cluster.create_namespace("admission")
    slo = ("--annotation-service", "knative-barista.dev/latency-slo=250ms")
    cluster.kn(*("service", "create", "model", "--namespace", namespace, "--image", STUB), *slo)
    path = f"{OURS}/namespaces/{namespace}/scalingplans"
    named = {
        "apiVersion": "knative-barista.dev/v1alpha1",
        "kind": "ScalingPlan",
        "metadata": {"name": "model"},
    }
    cluster.rest.create(path, {**named, "spec": {}})
    status = {"authority": "floor", "flavor": "cpu-1", "replicas": 1}
    cluster.rest.patch(f"{path}/model/status", {"status": status})
    pod = until(lambda: next(iter(cluster.pods(namespace)), None), "a pod")
    return {**pod, "apiVersion": "v1", "kind": "Pod"}


def _authority(cluster: Cluster) -> str:
    hooks = cluster.rest.get(HOOK)["webhooks"]
    bundle: str = hooks[0]["clientConfig"].get("caBundle") or ""
    return base64.b64decode(bundle).decode()


def _is_controller(obj: Object) -> bool:
    return bool(obj["kind"] == "Deployment" and obj["metadata"]["name"] == "barista-controller")
