"""One pod from its binding to its end: network, volumes, containers, status, resize, termination."""

import asyncio
import contextlib
import shutil
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp

from tests.cluster.client import Api, ApiError, Object
from tests.cluster.kubelet import downward, files, images, status, volumes
from tests.cluster.kubelet.config import KubeletConfig
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.node import Node
from tests.cluster.kubelet.process import Launch
from tests.cluster.kubelet.quantities import requests
from tests.cluster.kubelet.resize import Resizer
from tests.cluster.kubelet.sandbox import Network, SandboxError
from tests.cluster.kubelet.times import now

RETRY_S = 0.5
REFRESH_S = 2.0
"""How often mounted ConfigMaps and Secrets are read again; a kubelet takes up to a minute."""

Result = TypeVar("Result")
UNAVAILABLE = (ApiError, SandboxError, aiohttp.ClientError, OSError, TimeoutError)


class Pod:
    """A pod that was bound to one of our nodes."""

    def __init__(self, pod: Object, node: Node, api: Api, config: KubeletConfig, network: Network) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        self.object = pod
        self.address = ""
        self.uid: str = meta["uid"]
        self._path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        self._node = node
        self._api = api
        self._config = config
        self._network = network
        self._directory = config.pod_directory(meta["namespace"], meta["name"], self.uid)
        self._namespace = f"{config.bridge}-{self.uid[:13]}"
        self._volumes: dict[str, Path] = {}
        self._initialised = False
        self._refusal = ""
        self._began = now()
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._reported: Object = {}
        self._init = [
            Container(one, self._prepare, self._changed.set) for one in spec.get("initContainers") or []
        ]
        self._containers = [Container(one, self._prepare, self._changed.set) for one in spec["containers"]]
        self._resizer = Resizer(node, self.uid, self._containers)

    def __str__(self) -> str:
        """Namespace and name."""
        return f"pod {self.object['metadata']['namespace']}/{self.object['metadata']['name']}"

    @property
    def ready(self) -> bool:
        """Whether every container is ready."""
        return self._initialised and all(one.ready for one in self._containers)

    def update(self, pod: Object) -> None:
        """Take in a newer version of the object: a deletion, or new resources."""
        self.object = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._ending.set()
        elif self._initialised:
            self._changed.set()

    async def live(self) -> None:
        """All of the pod's life. When it returns or is cancelled, nothing of the pod is left here."""
        reporting = asyncio.create_task(self._report())
        starting: asyncio.Task[None] | None = None
        try:
            lacking = self._node.claim(self.uid, requests(self.object))
            if lacking is None:
                starting = asyncio.create_task(self._run())
                starting.add_done_callback(lambda done: tell(self, done))
            else:
                self._refusal = f"OutOf{lacking}"
                self._changed.set()
            await self._ending.wait()
            await self._stop()
        finally:
            await self._clean_up(starting)
            reporting.cancel()
        await self._retried(self._delete)

    async def _run(self) -> None:
        self.address = await self._retried(lambda: self._network.join(self._namespace))
        (self._directory / "logs").mkdir(parents=True, exist_ok=True)
        files.write_etc(self.object, self.address, self._config.gateway, self._config.domain, self._directory)
        self._volumes = await self._retried(
            lambda: volumes.materialise(self._api, self.object, self._directory / "volumes")
        )
        self._changed.set()
        policy = self.object["spec"].get("restartPolicy", "Always")
        async with asyncio.TaskGroup() as living:
            for container in self._init:
                sidecar = container.spec.get("restartPolicy") == "Always"
                life = living.create_task(container.live(self.address, "Always" if sidecar else "OnFailure"))
                while not (container.started if sidecar else life.done()):
                    await asyncio.sleep(0.05)
            self._initialised = True
            for container in self._containers:
                living.create_task(container.live(self.address, policy))
            living.create_task(self._keep_fresh())

    async def _prepare(self, spec: Object, attempt: int) -> Launch:
        image = images.find(self._config.images, spec["image"])
        host, _, port = self._api.server.removeprefix("https://").partition(":")
        env = await downward.environment(self._api, self._with_address(), spec, image, (host, port))
        return Launch(
            directory=self._directory / spec["name"] / str(attempt),
            network=self._namespace,
            hostname=self.object["metadata"]["name"],
            argv=images.command(image, spec, env),
            env=env,
            working_directory=spec.get("workingDir") or image.directory,
            mounts=files.mounts(spec, self._volumes, self._directory),
            log=self._directory / "logs" / f"{spec['name']}.log",
        )

    def _with_address(self) -> Object:
        """The object with its own address, which the API server may not know yet."""
        known = {"podIP": self.address, "hostIP": self._config.gateway}
        return {**self.object, "status": {**self.object["status"], **known}}

    async def _keep_fresh(self) -> None:
        """Follow mounted ConfigMaps and Secrets, and try a deferred resize again."""
        while True:
            await asyncio.sleep(REFRESH_S)
            with contextlib.suppress(*UNAVAILABLE):
                await volumes.refresh(self._api, self.object, self._directory / "volumes")
            if self._resizer.condition is not None:
                self._changed.set()

    async def _stop(self) -> None:
        grace_s = float(self.object["metadata"].get("deletionGracePeriodSeconds") or 0)
        async with asyncio.TaskGroup() as stopping:
            for container in (*self._containers, *self._init):
                stopping.create_task(container.stop(grace_s))

    async def _clean_up(self, starting: "asyncio.Task[None] | None") -> None:
        for container in (*self._containers, *self._init):
            await container.stop(0.0)
        if starting is not None:
            starting.cancel()
            await asyncio.wait({starting})
        if self.address:
            await self._network.leave(self._namespace, self.address)
        self._node.release(self.uid)
        for path in self._directory.glob("*"):
            if path.is_dir() and path.name != "logs":
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def _delete(self) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        try:
            await self._api.delete(self._path, options)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def _report(self) -> None:
        """Keep the object's status as the containers are, in one write for what changes together."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._initialised and not self._ending.is_set():
                for container in self._resizer.reconcile(self.object):
                    await container.restart()
            found = self._status()
            if found != self._reported:
                try:
                    self.object = await self._api.patch(f"{self._path}/status", {"status": found})
                    self._reported = found
                except ApiError as error:
                    if error.status != 404:
                        self._try_again_soon()
                except (aiohttp.ClientError, OSError, TimeoutError):
                    self._try_again_soon()

    def _try_again_soon(self) -> None:
        asyncio.get_running_loop().call_later(RETRY_S, self._changed.set)

    def _status(self) -> Object:
        if self._refusal:
            message = f"node {self._node.name}: {self._refusal}"
            return {"phase": "Failed", "reason": self._refusal, "message": message, "startTime": self._began}
        truths = {
            "PodReadyToStartContainers": bool(self.address),
            "Initialized": self._initialised,
            "ContainersReady": self.ready,
            "Ready": self.ready and not self._ending.is_set(),
        }
        found: Object = {
            "phase": status.phase(self._containers, initialised=self._initialised),
            "hostIP": self._config.gateway,
            "hostIPs": [{"ip": self._config.gateway}],
            "startTime": self._began,
            "observedGeneration": self.object["metadata"].get("generation", 1),
            "conditions": status.conditions(
                self.object, truths, self._resizer.condition, self._reported.get("conditions") or []
            ),
            "containerStatuses": [status.container_status(one) for one in self._containers],
        }
        if self._init:
            found["initContainerStatuses"] = [status.container_status(one) for one in self._init]
        if self.address:
            found |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        return found

    async def _retried(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await attempt()
            except UNAVAILABLE as error:
                print(f"{self}: {error}", flush=True)
                await asyncio.sleep(RETRY_S)


def tell(about: object, done: "asyncio.Task[None]") -> None:
    """Write into the log what ended a task that should not have ended so."""
    if not done.cancelled() and (error := done.exception()):
        print(f"{about}:", *traceback.format_exception(error), flush=True)
