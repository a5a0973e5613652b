"""Workers: where fits and solves run, behind the `concurrent.futures.Executor` interface.

What runs a plug-in gives up on it by cancelling its future. In `KillingPool`, the default, that ends
the worker process at once, hung in foreign code or not, and a fresh one takes its place. A Dask or Ray
client offers the same interface when one machine is outgrown; `Inline` does the work in the
caller, which virtual time needs to be repeatable. `Lanes` are several executors side by side, for work
that comes back to where it was done before.
"""

import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from itertools import cycle
from typing import Any, TypeVar
from zlib import crc32

from pebble import ProcessPool

T = TypeVar("T")
NICENESS = 10

log = logging.getLogger(__name__)


class KillingPool(Executor):
    """Worker processes that can be killed: a future of theirs can be cancelled while it runs.

    A worker that crashed is replaced; its future raises `pebble.ProcessExpired`. A pool that broke as a whole
    (a worker killed while it had nothing to do, a process that could not be started) is made anew for the
    next work. Workers start fresh (spawned), yield to the serving path (nice 10), and end with the pool.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers, self._ended = workers, False
        self._pool = self._made()
        self.rebuilt = 0
        """How often it broke and was made anew."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run ``fn(*args, **kwargs)`` in a worker; cancelling the future kills the worker."""
        if not self._ended and not self._pool.active:
            self._rebuild()
        future: Future[T] = self._pool.schedule(fn, args=list(args), kwargs=kwargs)
        return future

    def _made(self) -> Any:
        # Spawned, not forked: the parent has threads, and torch does not survive a fork.
        # Any: half of pebble's methods carry no types.
        return ProcessPool(
            max_workers=self._workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_yield_to_others,
        )

    def _rebuild(self) -> None:
        log.warning("a pool of %d workers broke: made anew", self._workers)
        broken, self._pool = self._pool, self._made()
        self.rebuilt += 1
        broken.stop()
        broken.join()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: what they still do is dropped unless `wait` is set without `cancel_futures`."""
        self._ended = True
        if wait and not cancel_futures:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()

    def __exit__(self, *_: object) -> None:
        # Nothing that is still being fitted when its controller ends is of use to anybody.
        self.shutdown(cancel_futures=True)


class Lanes(Executor):
    """Executors of one worker each: what goes by one key goes to one worker, and finds what it left there."""

    def __init__(self, lanes: Sequence[Executor]) -> None:
        self._lanes = tuple(lanes)
        self._turns = cycle(self._lanes)

    @staticmethod
    def of_processes(count: int) -> "Lanes":
        """As many lanes, of a worker process each."""
        return Lanes([KillingPool() for _ in range(count)])

    def of(self, key: str) -> Executor:
        """The lane of `key`."""
        return self._lanes[crc32(key.encode()) % len(self._lanes)]

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run ``fn(*args, **kwargs)`` in the lane whose turn it is."""
        return next(self._turns).submit(fn, *args, **kwargs)

    @property
    def rebuilt(self) -> int:
        """How often lanes broke and were made anew."""
        return sum(lane.rebuilt for lane in self._lanes if isinstance(lane, KillingPool))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End every lane."""
        for lane in self._lanes:
            lane.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, *_: object) -> None:
        self.shutdown(cancel_futures=True)


class Inline(Executor):
    """Does the work at once, in the caller; the future is finished when it is returned."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run ``fn(*args, **kwargs)`` now."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _yield_to_others() -> None:
    os.nice(NICENESS)
