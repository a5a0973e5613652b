import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from barista.platforms.local import cgroups
from barista.platforms.local.cgroups import CpuLimiter, Place, candidates, remove_leftovers

V1_MOUNT = "31 24 0:27 {root} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2_MOUNT = "30 24 0:26 {root} /sys/fs/cgroup{unified} rw,nosuid shared:8 - cgroup2 cgroup2 rw"
DISK = "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro"


@pytest.mark.parametrize(
    ("mounts", "own", "expected"),
    [
        pytest.param((DISK,), "0::/", (), id="no cgroups at all"),
        pytest.param(
            (DISK, V2_MOUNT.format(root="/", unified="")),
            "0::/user.slice/app.scope",
            ((2, ""), (2, "user.slice"), (2, "user.slice/app.scope")),
            id="version 2: the own cgroup and all above it",
        ),
        pytest.param(
            (V1_MOUNT.format(root="/"), V2_MOUNT.format(root="/", unified="/unified")),
            "4:cpu,cpuacct:/docker/abc\n0::/",
            ((1, "cpu,cpuacct/docker/abc"), (1, "cpu,cpuacct"), (2, "unified")),
            id="hybrid: version 1 first",
        ),
        pytest.param(
            (V1_MOUNT.format(root="/docker/abc"),),
            "4:cpu,cpuacct:/docker/abc/inner",
            ((1, "cpu,cpuacct/inner"), (1, "cpu,cpuacct")),
            id="a container that sees its own part only",
        ),
    ],
)
def test_where_cgroups_are_looked_for(mounts, own, expected):
    found = candidates("\n".join(mounts), own)
    assert {(p.version, p.directory) for p in found} == {
        (version, Path("/sys/fs/cgroup") / below) for version, below in expected
    }
    assert [p.version for p in found] == [version for version, _ in expected]


def test_below_version_2_a_cgroup_gets_its_share_and_its_quota(tmp_path, monkeypatch):
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    monkeypatch.setattr(cgroups, "_places", lambda: (Place(1, tmp_path / "none"), Place(2, tmp_path)))
    limiter = CpuLimiter()
    limiter.limit(0.25)
    assert limiter.kind == "cgroup v2"
    assert limiter.cgroup.parent == tmp_path
    assert (limiter.cgroup / "cpu.max").read_text() == "5000 20000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"


def test_where_no_cgroup_may_be_made_processes_are_held_to_whole_cores(monkeypatch):
    monkeypatch.setattr(cgroups, "_places", lambda: ())
    with subprocess.Popen(("sleep", "60"), start_new_session=True) as process:
        limiter = CpuLimiter()
        limiter.limit(0.5)
        limiter.add(process.pid)
        assert limiter.kind == "affinity"
        assert len(os.sched_getaffinity(process.pid)) == 1
        limiter.limit(len(os.sched_getaffinity(0)))
        assert os.sched_getaffinity(process.pid) == os.sched_getaffinity(0)
        limiter.close()
        assert process.wait(5) < 0


def test_a_limit_holds_for_all_that_a_process_starts_and_so_does_its_end():
    limiter = CpuLimiter()
    limiter.limit(0.5)
    with subprocess.Popen(("sh", "-c", "read x; sleep 60 & wait"), stdin=subprocess.PIPE) as process:
        limiter.add(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        outer = psutil.Process(process.pid)
        deadline = time.monotonic() + 5
        while not outer.children() and time.monotonic() < deadline:
            time.sleep(0.01)
        (inner,) = outer.children()
        if limiter.cgroup is None:
            assert len(os.sched_getaffinity(inner.pid)) == 1
        else:
            held = (limiter.cgroup / "cgroup.procs").read_text().split()
            assert {str(process.pid), str(inner.pid)} <= set(held)
        limiter.kill()
        process.wait(5)
        inner.wait(5)
    limiter.close()
    assert limiter.cgroup is None or not limiter.cgroup.exists()


def test_leftovers_of_makers_that_are_gone_are_removed_and_no_others(tmp_path, monkeypatch):
    with subprocess.Popen(("true",)) as gone:
        gone.wait()
    left, own = tmp_path / f"barista-{gone.pid}-abc", tmp_path / f"barista-{os.getpid()}-abc"
    foreign = tmp_path / "somebody-1-abc"
    for path in (left, own, foreign):
        path.mkdir()
    monkeypatch.setattr(cgroups, "_places", lambda: (Place(1, tmp_path),))
    remove_leftovers()
    assert [path.exists() for path in (left, own, foreign)] == [False, True, True]
