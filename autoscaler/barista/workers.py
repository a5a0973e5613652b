"""Workers: where fits and solves run, behind the `concurrent.futures.Executor` interface.

What runs a plug-in gives up on it by cancelling its future. In `KillingPool`, the default, that ends
the worker process at once, hung in foreign code or not, and a fresh one takes its place. A Dask or Ray
client offers the same interface when one machine is outgrown; `Inline` does the work in the
caller, which virtual time needs to be repeatable. `Lanes` are several executors side by side, for work
that comes back to where it was done before.
"""

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


class KillingPool(Executor):
    """Worker processes that can be killed: a future of theirs can be cancelled while it runs.

    A worker that crashed is replaced; its future raises `pebble.ProcessExpired`. Workers start fresh
    (spawned), yield to the serving path (nice 10), and end with the pool.
    """

    def __init__(self, workers: int = 1) -> None:
        # Spawned, not forked: the parent has threads, and torch does not survive a fork.
        # Any: half of pebble's methods carry no types.
        self._pool: Any = ProcessPool(
            max_workers=workers, context=multiprocessing.get_context("spawn"), initializer=_yield_to_others
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run ``fn(*args, **kwargs)`` in a worker; cancelling the future kills the worker."""
        future: Future[T] = self._pool.schedule(fn, args=list(args), kwargs=kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: what they still do is dropped unless `wait` is set without `cancel_futures`."""
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
