"""Machine code for the planner's inner loops, made by numba at first use and kept on disk.

numba stores the code beside the module (``__pycache__``), or under ``NUMBA_CACHE_DIR`` where that is set, or
below ``HOME`` where it may not write there: what was compiled once is loaded in seconds ever after. numba
notices a change of the file whose function Python calls, not of those that this one calls in turn: after
one of theirs, remove the ``*.nbi`` files there.
"""

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function` as machine code, to be called from machine code only: that compiles faster.

    ImportError where numba is not installed.
    """
    numba = importlib.import_module("numba")
    fast: F = numba.njit(
        cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return fast


def compiled_entry(function: F) -> F:
    """`function` as machine code that Python calls, without the interpreter's lock: threads run at once."""
    numba = importlib.import_module("numba")
    fast: F = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return fast
