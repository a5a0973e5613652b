import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from local_run import DIGITS, eventually, is_alive, supervisor

from barista.platforms.local.agent import NotReady
from barista.platforms.local.process import StartError
from barista.ports.model_server import Command

HERE = Path(__file__).parent
STAYING = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
from local_run import supervisor

async def stay():
    async with supervisor(Path(sys.argv[1]), initial={{"full": 1}}) as run:
        run.start_child("busy", ("sh", "-c", "sleep 60 & sleep 60"), restart=True)
        await run.wait_ready()
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(stay())
"""


class Stub:
    """A model server of one shell command, for what the supervisor does whatever it serves with."""

    name = "stub"

    def __init__(self, script):
        self.script = script

    def version(self):
        return "1"

    def prepare(self, launch):
        launch.work_dir.mkdir(parents=True, exist_ok=True)
        return Command(("sh", "-c", self.script), {})

    async def is_ready(self, launch):
        return False

    def predict_path(self, model):
        return "/"


def all_of(run_pid):
    """The processes below `run_pid`, and the sessions they lead."""
    below = psutil.Process(run_pid).children(recursive=True)
    return {process.pid for process in below}, {os.getsid(process.pid) for process in below}


def alive_in(sessions):
    return {pid for pid in psutil.pids() if is_alive(pid) and _session(pid) in sessions}


def _session(pid):
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def cgroups_of(run_pid):
    return [*Path("/sys/fs/cgroup").glob(f"**/barista-{run_pid}-*")]


async def test_a_supervisor_killed_with_9_leaves_nothing_after_5_seconds(tmp_path):
    with subprocess.Popen(
        (sys.executable, "-c", STAYING, str(tmp_path)), stdout=subprocess.PIPE, text=True
    ) as run:
        assert await asyncio.to_thread(run.stdout.readline) == "ready\n"
        pids, sessions = all_of(run.pid)
        # Reaper, router, the busy child and its sleeps, Java and its model worker.
        assert len(pids) >= 7
        told = json.loads((tmp_path / "supervisor.json").read_text())
        assert {told["pid"], *told["children"].values(), *told["replicas"].values()} <= {run.pid, *pids}
        run.kill()
    killed_at = time.monotonic()
    while alive_in(sessions) or cgroups_of(run.pid):
        assert time.monotonic() < killed_at + 5
        await asyncio.sleep(0.1)


async def test_a_run_that_ends_takes_everything_with_it_and_tells_what_it_used(tmp_path):
    async with supervisor(tmp_path, initial={"full": 2}, server=Stub("sleep 60 & sleep 60")) as run:
        run.start_child("load", ("sh", "-c", "echo done"))
        assert await run.wait_child("load") == 0
        told = await eventually(lambda: _told(tmp_path, replicas=2))
        _, sessions = all_of(os.getpid())
    assert not alive_in({*told["replicas"].values(), *told["children"].values()} & sessions)
    assert not cgroups_of(os.getpid())
    assert not (tmp_path / "supervisor.json").exists()
    assert (tmp_path / "logs" / "load.log").read_text() == "done\n"
    used = json.loads((tmp_path / "usage.json").read_text())[DIGITS]
    assert used["replica_seconds"]["full"] > 0
    assert (used["cold_starts"], used["crashes"]) == (0, 0)


async def test_a_child_that_should_live_is_started_again_and_one_that_should_not_is_not(tmp_path):
    async with supervisor(tmp_path, initial={}) as run:
        run.start_child("controller", ("sleep", "60"), restart=True)
        run.start_child("once", ("sleep", "60"))
        with pytest.raises(StartError, match="child 'once': was started before"):
            run.start_child("once", ("sleep", "60"))
        first = run.child_pid("controller")
        os.kill(run.child_pid("once"), signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        assert await run.wait_child("once") == -signal.SIGKILL
        await eventually(lambda: _told(tmp_path)["children"].get("controller", first) != first, within_s=10)
        assert "once" not in _told(tmp_path)["children"]


async def test_a_reaper_that_dies_is_replaced(tmp_path):
    async with supervisor(tmp_path, initial={}) as run:
        first = run.child_pid("reaper")
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: run.child_pid("reaper") != first, within_s=10)
        assert _told(tmp_path)["children"]["reaper"] != first


async def test_a_model_that_does_not_start_ends_the_wait_with_what_its_server_said(tmp_path):
    async with supervisor(tmp_path, initial={"full": 1}, server=Stub("echo no such model; exit 1")) as run:
        with pytest.raises(
            NotReady, match=r"service default/digits: 3 starts failed: replica digits-\d: .*no such model"
        ):
            await run.wait_ready()
        assert run.usage()[DIGITS].crashes == 3


def _told(directory, replicas=0):
    told = json.loads((directory / "supervisor.json").read_text())
    return told if len(told["replicas"]) >= replicas else None
