"""A node: registered, kept alive, and asked whether a pod still fits."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping

import aiohttp

from tests.cluster.client import Api, ApiError, Object
from tests.cluster.kubelet.config import NodeShape
from tests.cluster.kubelet.times import micro_now, now

GPU = "nvidia.com/gpu"
HEARTBEAT_S = 10.0


class Node:
    """What a node has and who holds how much of it."""

    def __init__(self, shape: NodeShape, address: str) -> None:
        self.name = shape.name
        self._shape = shape
        self._address = address
        self._claims: dict[str, Mapping[str, float]] = {}
        self._allocatable = {
            "cpu": float(shape.cpu),
            "memory": shape.memory_gib * 2.0**30,
            "pods": float(shape.pods),
            GPU: float(shape.gpus),
        }

    def fits_ever(self, asked: Mapping[str, float]) -> bool:
        """Whether the node, if it were empty, could hold this."""
        return self._lacking(asked, Counter()) is None

    def claim(self, uid: str, asked: Mapping[str, float]) -> str | None:
        """Hold `asked` for the pod `uid` in place of what it held; if that fails, the name of what lacks."""
        others: Counter[str] = Counter()
        for holder, held in self._claims.items():
            if holder != uid:
                others.update(held)
                others["pods"] += 1
        lacking = self._lacking({**asked, "pods": 1.0}, others)
        if lacking is None:
            self._claims[uid] = dict(asked)
        return lacking

    def release(self, uid: str) -> None:
        """Let go of what the pod held."""
        self._claims.pop(uid, None)

    async def live(self, api: Api) -> None:
        """Register, then keep the node's lease fresh for ever."""
        await api_until(api, "/api/v1/nodes", self._object())
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name},
            "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": micro_now()},
        }
        await api_until(api, path, lease)
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            with contextlib.suppress(ApiError, aiohttp.ClientError, OSError, TimeoutError):
                await api.patch(f"{path}/{self.name}", {"spec": {"renewTime": micro_now()}})

    def _lacking(self, asked: Mapping[str, float], others: Mapping[str, float]) -> str | None:
        slack = 1e-9
        for name, amount in asked.items():
            if amount and amount + others.get(name, 0.0) > self._allocatable.get(name, 0.0) + slack:
                return name
        return None

    def _object(self) -> Object:
        shape = self._shape
        capacity = {"cpu": str(shape.cpu), "memory": f"{shape.memory_gib}Gi", "pods": str(shape.pods)}
        if shape.gpus:
            capacity[GPU] = str(shape.gpus)
        labels = {
            "kubernetes.io/hostname": shape.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            **shape.labels,
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "process kubelet",
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": shape.name, "labels": labels},
            "spec": {"taints": shape.taints},
            "status": {
                "capacity": capacity,
                "allocatable": capacity,
                "conditions": [ready],
                "addresses": [
                    {"type": "InternalIP", "address": self._address},
                    {"type": "Hostname", "address": shape.name},
                ],
                "nodeInfo": {
                    "kubeletVersion": "v1.36.0",
                    "operatingSystem": "linux",
                    "architecture": "amd64",
                    "containerRuntimeVersion": "process://1",
                    "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "",
                    "osImage": "", "kubeProxyVersion": "",
                },
            },
        }  # fmt: skip


async def api_until(api: Api, path: str, body: Object) -> None:
    """Create `body`, as often as it takes; that it is there already is as good."""
    while True:
        try:
            await api.create(path, body)
        except ApiError as error:
            if error.status == 409:
                return
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        else:
            return
        await asyncio.sleep(0.3)
