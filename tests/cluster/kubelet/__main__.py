"""``python -m tests.cluster.kubelet CONFIG``: be the nodes, and run the pods that are bound to them."""

import asyncio
import functools
import signal
import sys
from pathlib import Path

from barista.platforms.local.cgroups import remove_leftovers
from tests.cluster.client import Api, Object
from tests.cluster.kubelet import sandbox, targets
from tests.cluster.kubelet.config import KubeletConfig
from tests.cluster.kubelet.node import Node
from tests.cluster.kubelet.pod import Pod, tell

TARGETS_EVERY_S = 0.5


class Kubelet:
    """All nodes of the cluster in one process."""

    def __init__(self, api: Api, config: KubeletConfig) -> None:
        self._api = api
        self._config = config
        self._network = sandbox.Network(config.bridge, config.gateway)
        self._nodes = {shape.name: Node(shape, config.gateway) for shape in config.nodes}
        self._pods: dict[str, tuple[Pod, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """For ever, until cancelled; then every pod ends at once."""
        lives = [asyncio.create_task(node.live(self._api)) for node in self._nodes.values()]
        lives.append(asyncio.create_task(self._keep_targets()))
        try:
            async for kind, item in self._api.follow("/api/v1/pods"):
                if kind == "SYNC":
                    self._sync(item)
                elif kind == "DELETED":
                    self._forget(item["metadata"]["uid"])
                else:
                    self._see(item)
        finally:
            for task in (*lives, *(task for _, task in self._pods.values())):
                task.cancel()
            await asyncio.gather(*(task for _, task in self._pods.values()), return_exceptions=True)

    def _sync(self, items: list[Object]) -> None:
        there = {item["metadata"]["uid"] for item in items}
        for uid in set(self._pods) - there:
            self._forget(uid)
        for item in items:
            self._see(item)

    def _see(self, item: Object) -> None:
        uid = item["metadata"]["uid"]
        node = self._nodes.get(item["spec"].get("nodeName", ""))
        if uid in self._pods:
            self._pods[uid][0].update(item)
        elif node is not None and item["status"].get("phase") not in {"Succeeded", "Failed"}:
            pod = Pod(item, node, self._api, self._config, self._network)
            pod.update(item)
            life = asyncio.create_task(pod.live())
            life.add_done_callback(functools.partial(tell, pod))
            self._pods[uid] = pod, life

    def _forget(self, uid: str) -> None:
        if uid in self._pods:
            _, task = self._pods.pop(uid)
            task.cancel()

    async def _keep_targets(self) -> None:
        while True:
            running = ((pod.object, pod.address) for pod, _ in self._pods.values() if pod.ready)
            targets.write(self._config.targets, running)
            await asyncio.sleep(TARGETS_EVERY_S)


async def main(path: Path) -> None:
    """Run until TERM."""
    config = KubeletConfig.read(path)
    remove_leftovers()
    sandbox.prepare()
    async with Api(config.kubeconfig) as api:
        running = asyncio.create_task(Kubelet(api, config).run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await asyncio.gather(running, return_exceptions=True)
        if not running.cancelled() and (error := running.exception()):
            raise error


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
