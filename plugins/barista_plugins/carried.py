"""Carried: what one plan leaves to the next, which is most often made for the same services a step later.

The prices of the pools and the cheapest plans known for each service at those prices, moved on by a step:
what was to happen at the first step has. They are a start and nothing more: plans are priced again, and
what does not fit the new problem is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from barista.values.flavor import RESOURCES
from barista.values.problem import FlavorPlan, Problem
from barista_plugins.master import Column
from barista_plugins.packed import PackedProblem

Amounts = npt.NDArray[np.float64]
ServicePlan = Mapping[str, FlavorPlan]

MOST_PLANS = 4
"""Plans kept of each service."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Prices by pool and resource (T), and plans by service, the cheapest first; as they were."""

    prices: Mapping[tuple[str, str], Amounts] = field(default_factory=dict)
    plans: Mapping[str, tuple[ServicePlan, ...]] = field(default_factory=dict)

    @staticmethod
    def of(packed: PackedProblem, prices: Amounts, columns: Iterable[Column]) -> "Carried":
        """What the `columns` known at the end and the `prices` (R, T) leave."""
        by_service: defaultdict[int, list[tuple[float, int, Amounts]]] = defaultdict(list)
        for i, column in enumerate(columns):
            if column.plan is not None:
                cost = column.cost + float((prices * column.held).sum())
                by_service[column.service].append((cost, i, column.plan))
        plans = {
            packed.problem.services[s].name: tuple(
                packed.plan_of(s, plan) for _, _, plan in sorted(known, key=lambda one: one[:2])[:MOST_PLANS]
            )
            for s, known in by_service.items()
        }
        return Carried(dict(zip(_resources(packed.problem), prices, strict=True)), plans)

    def prices_for(self, problem: Problem) -> Amounts:
        """The prices a step later (R, T); zero where they are not known."""
        names = _resources(problem)
        prices = np.zeros((len(names), problem.steps))
        for r, name in enumerate(names):
            last = self.prices.get(name)
            if last is not None and len(last) == problem.steps:
                prices[r] = np.append(last[1:], last[-1])
        return prices

    def columns_for(self, packed: PackedProblem) -> list[Column]:
        """The plans a step later, as columns of `packed`."""
        columns = []
        for s, service in enumerate(packed.problem.services):
            for plan in self.plans.get(service.name, ()):
                found = packed.column_of(s, {name: _later(counts) for name, counts in plan.items()})
                if found is not None:
                    columns.append(Column(s, *found))
        return columns


def _resources(problem: Problem) -> list[tuple[str, str]]:
    return [(pool.name, resource) for pool in problem.pools for resource in RESOURCES]


def _later(counts: FlavorPlan) -> FlavorPlan:
    return FlavorPlan((*counts.start[1:], 0), (*counts.stop[1:], 0))
