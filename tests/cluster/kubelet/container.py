"""One container of a pod over its whole life: started, probed, restarted when it ends, ended with grace."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.cluster.client import ApiError, Object
from tests.cluster.kubelet import probes
from tests.cluster.kubelet.images import NoSuchImage
from tests.cluster.kubelet.process import ContainerProcess, Launch
from tests.cluster.kubelet.quantities import cpu_limit
from tests.cluster.kubelet.times import now

BACKOFF_S = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Pauses before a container is started again, as the kubelet's; the first restart comes at once."""

START_AGAIN_S = 1.0
"""Pause before another attempt at a container that could not be started: its image or a source is missing."""

Prepare = Callable[[Object, int], Awaitable[Launch]]


class Container:
    """A container named in a pod's spec, and the state that its pod reports."""

    def __init__(self, spec: Object, prepare: Prepare, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: Object = {}
        self.restarts = 0
        self.started = False
        self.ready = False
        self.applied: Object = spec.get("resources") or {}
        self.address = ""
        self._prepare = prepare
        self._changed = changed
        self._process: ContainerProcess | None = None
        self._stopping = False

    @property
    def exit_code(self) -> int | None:
        """How its last run ended; None while it runs or waits."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    async def live(self, address: str, restart: str) -> None:
        """Run it, again and again as the policy `restart` (Always, OnFailure, Never) has it."""
        self.address = address
        while not self._stopping:
            if not await self._run_once():
                await asyncio.sleep(START_AGAIN_S)
                continue
            again = restart == "Always" or (restart == "OnFailure" and self.exit_code != 0)
            if self._stopping or not again:
                return
            pause_s = BACKOFF_S[min(self.restarts, len(BACKOFF_S) - 1)]
            self.restarts += 1
            self.last_state = self.state
            self.state = {"waiting": {"reason": "CrashLoopBackOff"}}
            self._changed()
            await asyncio.sleep(pause_s)

    def resize(self, spec: Object) -> None:
        """Hold the running container to the cpu of `spec`, and report its resources as in force."""
        self.spec = spec
        self.applied = spec.get("resources") or {}
        cpu = cpu_limit(spec)
        if self._process is not None and cpu is not None:
            self._process.limit(cpu)

    async def restart(self) -> None:
        """End this run, so that the next begins with the spec as it is now."""
        if self._process is not None:
            await self._end(self._process, 30.0)

    async def stop(self, grace_s: float) -> None:
        """Hook, TERM, and KILL when the grace is over. It is not started again."""
        self._stopping = True
        self.ready = False
        if self._process is not None:
            await self._end(self._process, grace_s)

    async def _end(self, process: ContainerProcess, grace_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._hook("preStop")
                process.signal(signal.SIGTERM)
                await process.wait()
                return
        process.kill()
        await process.wait()

    async def _run_once(self) -> bool:
        """One run to its end; False when it could not even be started."""
        try:
            launch = await self._prepare(self.spec, self.restarts)
            process = await ContainerProcess.start(launch, cpu_limit(self.spec))
        except NoSuchImage as error:
            return self._cannot_start("ErrImagePull", error)
        except (ApiError, OSError, KeyError) as error:
            return self._cannot_start("CreateContainerError", error)
        self._process = process
        began = now()
        self.applied = self.spec.get("resources") or {}
        self.state = {"running": {"startedAt": began}}
        self.started = "startupProbe" not in self.spec
        self.ready = self.started and "readinessProbe" not in self.spec
        self._changed()
        watching = asyncio.create_task(self._watch(process))
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        finally:
            watching.cancel()
            self._process = None
        self.started = self.ready = False
        reason = "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now()}
        self.state = {"terminated": ended | {"message": _tail(launch.log)} if code else ended}
        self._changed()
        return True

    def _cannot_start(self, reason: str, error: Exception) -> bool:
        self.state = {"waiting": {"reason": reason, "message": str(error)}}
        self._changed()
        return False

    async def _watch(self, process: ContainerProcess) -> None:
        async def ask(probe: Object) -> bool:
            return await self._act(process, probe, float(probe.get("timeoutSeconds") or 1))

        if startup := self.spec.get("startupProbe"):
            async for passed in probes.verdicts(startup, ask):
                if passed:
                    break
                await self._end(process, 30.0)
                return
            self.started = True
            self.ready = "readinessProbe" not in self.spec
            self._changed()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._watch_readiness(ask))
            both.create_task(self._watch_liveness(ask, process))

    async def _watch_readiness(self, ask: probes.Ask) -> None:
        if probe := self.spec.get("readinessProbe"):
            async for passed in probes.verdicts(probe, ask, eager=True):
                ready = passed and not self._stopping
                if ready != self.ready:
                    self.ready = ready
                    self._changed()

    async def _watch_liveness(self, ask: probes.Ask, process: ContainerProcess) -> None:
        if probe := self.spec.get("livenessProbe"):
            async for passed in probes.verdicts(probe, ask):
                if not passed:
                    process.signal(signal.SIGTERM)
                    await asyncio.sleep(float(probe.get("terminationGracePeriodSeconds") or 30))
                    process.kill()
                    return

    async def _hook(self, name: str) -> None:
        hook = (self.spec.get("lifecycle") or {}).get(name)
        if hook and self._process is not None:
            await self._act(self._process, hook, 3600.0)

    async def _act(self, process: ContainerProcess, action: Object, timeout_s: float) -> bool:
        """A probe or a hook: both say what to do in the same words."""
        ports = {one["name"]: one["containerPort"] for one in self.spec.get("ports") or [] if "name" in one}
        if "httpGet" in action:
            return await probes.http(action["httpGet"], self.address, ports, timeout_s)
        if "tcpSocket" in action:
            return await probes.tcp(action["tcpSocket"], self.address, ports, timeout_s)
        if "exec" in action:
            return await process.run(action["exec"]["command"], timeout_s)
        if "sleep" in action:
            await asyncio.sleep(float(action["sleep"]["seconds"]))
            return True
        raise probes.Unsupported(f"container {self.name}: no httpGet, tcpSocket, exec or sleep in {action}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-800:] if log.exists() else ""
