"""Workers that can be killed: hung, crashed or finished, the pool goes on and leaves nothing behind."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pebble import ProcessExpired

from barista.workers import NICENESS, Inline, KillingPool


def pid_into(path: str) -> int:
    """The worker's process id, told before and after it sleeps for ever, whatever signals say."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)
    return os.getpid()


def killed_by(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


@pytest.fixture(scope="module")
def pool() -> Iterator[KillingPool]:
    with KillingPool(workers=1) as pool:
        yield pool


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path}: no worker wrote it"
        time.sleep(0.02)
    return int(path.read_text())


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_work_is_done_in_another_process_that_yields_to_the_serving_path(pool: KillingPool) -> None:
    assert pool.submit(pow, 2, 10).result(20) == 1024
    assert pool.submit(int, "ff", base=16).result(20) == 255
    assert pool.submit(os.getpid).result(20) != os.getpid()
    assert pool.submit(os.nice, 0).result(20) == min(19, os.nice(0) + NICENESS)


def test_what_the_work_raises_is_raised_where_it_is_asked_for(pool: KillingPool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "x").result(20)


def test_cancelling_kills_a_hung_worker_and_a_fresh_one_takes_its_place(
    pool: KillingPool, tmp_path: Path
) -> None:
    hung = pool.submit(pid_into, str(tmp_path / "pid"))
    pid = wait_for(tmp_path / "pid")
    assert hung.cancel()
    wait_until_gone(pid)
    with pytest.raises(CancelledError):
        hung.result(20)
    assert pool.submit(pow, 3, 2).result(20) == 9


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crashed_worker_raises_and_the_pool_goes_on(pool: KillingPool, number: int) -> None:
    with pytest.raises(ProcessExpired):
        pool.submit(killed_by, number).result(20)
    assert pool.submit(pow, 3, 2).result(20) == 9


def test_a_worker_that_leaves_raises_and_the_pool_goes_on(pool: KillingPool) -> None:
    with pytest.raises(ProcessExpired):
        pool.submit(os._exit, 3).result(20)
    assert pool.submit(pow, 3, 2).result(20) == 9


def test_a_pool_that_broke_when_its_idle_worker_was_killed_is_made_anew() -> None:
    with KillingPool(workers=1) as pool:
        pid = pool.submit(os.getpid).result(20)
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        # What is asked before the pool has noticed is lost with it.
        with suppress(BrokenProcessPool):
            pool.submit(pow, 3, 2).result(20)
        assert pool.submit(pow, 3, 2).result(20) == 9
        assert pool.rebuilt == 1


def test_a_pool_that_was_ended_takes_no_more_work() -> None:
    pool = KillingPool(workers=1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(pow, 3, 2)


def test_leaving_the_pool_ends_its_workers_whatever_they_do(tmp_path: Path) -> None:
    with KillingPool(workers=1) as pool:
        pool.submit(pid_into, str(tmp_path / "pid"))
        pid = wait_for(tmp_path / "pid")
    wait_until_gone(pid)


def test_shutdown_waits_for_what_was_submitted() -> None:
    pool = KillingPool(workers=1)
    futures = [pool.submit(pow, 2, n) for n in range(3)]
    pid = pool.submit(os.getpid)
    pool.shutdown()
    assert [f.result(0) for f in futures] == [1, 2, 4]
    wait_until_gone(pid.result(0))


def test_inline_is_done_when_it_returns() -> None:
    with Inline() as executor:
        done: Future[int] = executor.submit(pow, 2, 5)
        failed = executor.submit(int, "x")
    assert done.done()
    assert done.result() == 32
    assert wait([done, failed], 0).not_done == set()
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()
