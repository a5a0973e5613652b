"""The restricted master: which of the plans known for each service, so that all fit into the pools?

A *column* is one plan of one service: what it costs and what it holds (Dantzig and Wolfe, "Decomposition
principle for linear programs", 1960). Over the convex hull of the columns the master is a linear
program, whose duals are the prices of the pools; with whole columns it is a choice, which CBC makes by
branch and bound. Overuse of a pool is allowed at a high price, so the master always has a solution.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from barista.values.problem import PlanStatus
from barista_plugins.cbc import Budget, new_model, optimize, relax, weighted_sum

Amounts = npt.NDArray[np.float64]
SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Column:
    """A plan of service number `service`: true `cost`, `held` (R, T), variables (None: fractions)."""

    service: int
    cost: float
    held: Amounts
    plan: Amounts | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of the pools (R, T), the master's value, and whether the pools are overused even so."""

    of: Amounts
    value: float
    is_overused: bool


@dataclass(slots=True)
class Master:
    """The columns of some services, each known once, over `room` (R, T)."""

    services: int
    room: Amounts
    columns: list[Column] = field(default_factory=list)
    _known: set[tuple[int, float, bytes]] = field(default_factory=set)

    def add(self, column: Column) -> bool:
        """Take `column` in; False when it is known already."""
        key = (column.service, round(column.cost, 6), column.held.round(6).tobytes())
        if key in self._known:
            return False
        self._known.add(key)
        self.columns.append(column)
        return True

    def prices(self, cap: float, budget: Budget) -> Prices | None:
        """The duals of the pools, at most `cap`; None where there was no time."""
        model, _, over, rows = self._model(self.columns, "C", cap)
        if relax(model, budget) is not PlanStatus.OPTIMAL:
            return None
        prices = np.zeros_like(self.room)
        for at, row in rows.items():
            prices[at] = max(0.0, -row.pi)
        return Prices(prices, float(model.objective_value), any(v.x > SMALL for v in over.values()))

    def choose(self, cap: float, start: Sequence[Column], budget: Budget) -> list[Column] | None:
        """The cheapest choice found, beginning with `start`: a whole column for each service in turn."""
        whole = [column for column in self.columns if column.plan is not None]
        model, chosen, _, _ = self._model(whole, "B", cap)
        begun = {id(column) for column in start}
        model.start = [(v, 1.0) for v, column in zip(chosen, whole, strict=True) if id(column) in begun]
        if optimize(model, budget) not in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE):
            return None
        best = [column for v, column in zip(chosen, whole, strict=True) if v.x > 0.5]
        return sorted(best, key=lambda column: column.service)

    def _model(
        self, columns: Sequence[Column], kind: str, cap: float
    ) -> tuple[Any, list[Any], dict[tuple[int, int], Any], dict[tuple[int, int], Any]]:
        """A model over `columns`: their variables, and by pool resource and step its overuse and its row."""
        model = new_model()
        chosen = [model.add_var(var_type=kind, obj=column.cost) for column in columns]
        by_service: list[list[tuple[Any, float]]] = [[] for _ in range(self.services)]
        for variable, column in zip(chosen, columns, strict=True):
            by_service[column.service].append((variable, 1.0))
        for terms in by_service:
            model.add_constr(weighted_sum(terms, -1.0, "="))
        held = np.array([column.held for column in columns])
        most = np.zeros((self.services, *self.room.shape))
        np.maximum.at(most, [column.service for column in columns], held)
        over: dict[tuple[int, int], Any] = {}
        rows: dict[tuple[int, int], Any] = {}
        for r, t in np.argwhere(most.sum(axis=0) > self.room + SMALL).tolist():
            holders = np.flatnonzero(held[:, r, t] > SMALL).tolist()
            over[r, t] = model.add_var(obj=cap)
            terms = [(chosen[i], float(held[i, r, t])) for i in holders]
            rows[r, t] = model.add_constr(
                weighted_sum([*terms, (over[r, t], -1.0)], -float(self.room[r, t]), "<")
            )
        return model, chosen, over, rows
