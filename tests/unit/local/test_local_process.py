import os
import signal
import sys
import time

import psutil
import pytest

from barista.platforms.local.process import StartError, end, free_ports, kill, last_words, start


def run(tmp_path, script, **options):
    log = tmp_path / "log"
    return start(("sh", "-c", script), env=dict(os.environ), cwd=tmp_path, log=log, **options), log


def until(condition, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_a_process_says_is_in_its_log(tmp_path):
    process, log = run(tmp_path, "echo one; echo two >&2; exit 3")
    assert process.wait(5) == 3
    assert last_words(log) == "one | two"


def test_it_does_not_run_before_it_was_admitted(tmp_path):
    seen = []

    def admit(pid):
        time.sleep(0.1)
        seen.append((pid, (tmp_path / "ran").exists()))

    process, _ = run(tmp_path, "touch ran", admit=admit)
    process.wait(5)
    assert seen == [(process.pid, False)]
    assert (tmp_path / "ran").exists()


def test_it_never_runs_when_it_cannot_be_admitted(tmp_path):
    def admit(_):
        raise OSError("no such cgroup")

    with pytest.raises(StartError, match="no such cgroup"):
        run(tmp_path, "touch ran", admit=admit)
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StartError, match="no-such-server: no such program"):
        start(("no-such-server",), env={"PATH": "/nowhere"}, cwd=tmp_path, log=tmp_path / "log")


def test_killing_it_ends_what_it_started_too(tmp_path):
    process, log = run(tmp_path, "sleep 60 & echo $!; wait")
    until(lambda: log.read_text().strip())
    inner = int(log.read_text())
    kill(process)
    until(lambda: not is_alive(inner))


async def test_a_process_that_takes_its_leave_is_given_the_time(tmp_path):
    process, log = run(tmp_path, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done")
    until(lambda: "up" in log.read_text())
    await end(process, grace_s=5)
    assert (process.returncode, last_words(log)) == (0, "up | bye")


async def test_a_process_that_will_not_end_is_killed(tmp_path):
    process, log = run(tmp_path, "trap '' TERM; echo up; while :; do sleep 0.02; done")
    until(lambda: "up" in log.read_text())
    await end(process, grace_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_a_process_whose_starter_dies_at_the_gate_never_runs(tmp_path):
    starter = (
        "import os, signal\nfrom pathlib import Path\nfrom barista.platforms.local.process import start\n"
        "start(('touch', 'ran'), env=os.environ, cwd=Path('.'), log=Path('log'),"
        " admit=lambda pid: (print(pid, flush=True), os.kill(os.getpid(), signal.SIGKILL)))"
    )
    process = start((sys.executable, "-c", starter), env=os.environ, cwd=tmp_path, log=tmp_path / "starter")
    process.wait(10)
    inner = int((tmp_path / "starter").read_text())
    until(lambda: not is_alive(inner))
    assert not (tmp_path / "ran").exists()


def test_free_ports_are_different_ones():
    assert len(set(free_ports(20))) == 20
