"""CBC as this project uses it: one thread, no chance, no output, within a budget."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from barista.values.problem import PlanLimits, PlanStatus

LEAST_S = 0.01


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: until when (None: no matter), and on how many nodes of one program.

    A program is solved once it is within the relative `gap` or within `gap_absolute`, in its own units.
    """

    until_s: float | None
    gap: float
    node_limit: int | None
    gap_absolute: float = 0.0

    @staticmethod
    def of(limits: PlanLimits) -> "Budget":
        """The budget of a planner that starts now."""
        until_s = None if limits.time_limit_s is None else perf_counter() + limits.time_limit_s
        return Budget(until_s, limits.gap, limits.node_limit)

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.until_s is not None and perf_counter() >= self.until_s

    def slice(self, parts: float) -> "Budget":
        """One of `parts` equal parts of the time that is left."""
        if self.until_s is None:
            return self
        now_s = perf_counter()
        return replace(self, until_s=now_s + max(0.0, self.until_s - now_s) / max(1.0, parts))

    def as_limits(self) -> dict[str, float | int]:
        """What is left, as python-mip wants to be told."""
        limits: dict[str, float | int] = {}
        if self.until_s is not None:
            limits["max_seconds"] = max(LEAST_S, self.until_s - perf_counter())
        if self.node_limit is not None:
            limits["max_nodes"] = self.node_limit
        return limits


def new_model() -> Any:
    """An empty program. ImportError where python-mip is not installed."""
    import mip

    model = mip.Model(sense=mip.MINIMIZE, solver_name=mip.CBC)
    model.verbose = 0
    model.threads = 1
    model.seed = 0
    # Two-step rounding cuts at the root pay in the rare hard program and cost little in the others.
    model.cuts = 2
    return model


def weighted_sum(terms: Any, constant: float = 0.0, sense: str = "") -> Any:
    """Σ coefficient·variable + constant, compared with 0 by `sense`; variables are distinct."""
    from mip import LinExpr

    variables, coefficients = zip(*terms, strict=True)
    return LinExpr(list(variables), list(coefficients), constant, sense)


def optimize(model: Any, budget: Budget) -> PlanStatus:
    """Solve a mixed-integer program; the solution is in the model's variables when there is one."""
    from mip import OptimizationStatus as Solver

    model.max_mip_gap = budget.gap
    model.max_mip_gap_abs = budget.gap_absolute
    status = model.optimize(**budget.as_limits())
    if status in (Solver.INFEASIBLE, Solver.INT_INFEASIBLE):
        return PlanStatus.INFEASIBLE
    if model.num_solutions:
        return PlanStatus.OPTIMAL if status is Solver.OPTIMAL else PlanStatus.FEASIBLE
    return PlanStatus.TIMED_OUT if status is Solver.NO_SOLUTION_FOUND else PlanStatus.FAILED


def relax(model: Any, budget: Budget) -> PlanStatus:
    """Solve the linear relaxation, leaving the model continuous; rows then have prices (`pi`)."""
    from mip import OptimizationStatus as Solver

    model.relax()
    with _silence():  # the linear solver talks whatever it is told
        status = model.optimize(**budget.as_limits())
    if status is Solver.OPTIMAL:
        return PlanStatus.OPTIMAL
    return PlanStatus.INFEASIBLE if status is Solver.INFEASIBLE else PlanStatus.TIMED_OUT


@contextmanager
def _silence() -> Iterator[None]:
    """Standard output of C code goes nowhere."""
    c_library = ctypes.CDLL(None)
    sys.stdout.flush()
    c_library.fflush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        c_library.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
