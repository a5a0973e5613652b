import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from barista.platforms.local.reaper import Reaper

SUPERVISOR = """
import os, signal, subprocess, sys, time
from pathlib import Path
from barista.platforms.local.cgroups import CpuLimiter
from barista.platforms.local.reaper import Reaper
reaper, limiter = Reaper(), CpuLimiter()
quiet = {"stdout": subprocess.DEVNULL, "start_new_session": True}
one = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], **quiet)
other, released = (subprocess.Popen(["sleep", "60"], **quiet) for _ in range(2))
limiter.add(other.pid)
if limiter.cgroup is None:
    reaper.add("group", other.pid)
else:
    reaper.add("cgroup", limiter.cgroup)
reaper.add("group", released.pid)
if "kill-reaper" in sys.argv:
    os.kill(reaper.pid, signal.SIGKILL)
    while not reaper.ensure():
        time.sleep(0.01)
reaper.add("group", one.pid)
reaper.add("folder", Path(sys.argv[1]))
reaper.remove("group", released.pid)
print(one.pid, other.pid, released.pid, limiter.cgroup, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def die(tmp_path, *how):
    scratch = tmp_path / "scratch files"
    scratch.mkdir()
    (scratch / "file").touch()
    argv = (sys.executable, "-c", SUPERVISOR, str(scratch), *how)
    said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return scratch, [int(pid) for pid in said[:3]], said[3]


def assert_all_ends(scratch, pids, cgroup):
    one, other, released = pids
    deadline = time.monotonic() + 5
    while is_alive(one) or is_alive(other) or scratch.exists() or Path(cgroup).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert is_alive(released)
    os.kill(released, signal.SIGKILL)


def test_a_killed_supervisor_leaves_none_of_what_it_told_the_reaper(tmp_path):
    assert_all_ends(*die(tmp_path))


def test_a_killed_reaper_is_replaced_by_one_that_knows_the_same(tmp_path):
    assert_all_ends(*die(tmp_path, "kill-reaper"))


def test_a_reaper_ends_by_itself_when_it_is_closed():
    reaper = Reaper()
    pid = reaper.pid
    reaper.close()
    assert not is_alive(pid)
