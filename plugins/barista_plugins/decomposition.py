"""Planning many services: prices of the pools coordinate what each of them plans for itself.

1. *Prices.* At prices the services' linear relaxations are apart; the master over their solutions gives
   new prices, until they agree with what the services answer. Prices asked at are drawn
   towards the best ones so far (smoothing: Wentges, "Weighted Dantzig-Wolfe decomposition for linear
   mixed-integer programming", 1997), or they would jump about.
2. *Bound.* At any prices, what the services cost together less what the room is worth is a bound on every
   plan (Lagrange). Branch and bound on each service raises it, most where most is open.
3. *Plans.* The plans found on the way are columns of the master, which chooses among them. What it overuses
   is repaired, and what costs more than it must is improved, by planning single services again within
   the room that all others leave.

2 and 3 take turns, with more nodes each time, until the gap is reached or time is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt

from barista_plugins.cbc import Budget
from barista_plugins.crew import Crew, Found
from barista_plugins.master import Column, Master
from barista_plugins.packed import PackedProblem

Amounts = npt.NDArray[np.float64]

SMOOTHING = 0.5
PRICE_ROUNDS = 20
FIRST_CAP, CAP_GROWTH, LAST_CAP = 50.0, 10.0, 1e6
"""Most that overuse costs, in `unit_cost` for a unit of a resource and a step: at first, then if need be."""
NODES = (1, 100, 300, 1000, 3000, 10000)
"""Nodes that one service's branch and bound may take, turn by turn."""
REPAIR_NODES = 100
PRICES_SHARE, SERVICES_SHARE, CHOICE_SHARE = 0.1, 0.3, 0.1
"""Shares of the gap that are left to unsettled prices, the services' own gaps, the master's choice."""
CLOSEST = 1e-7
"""No gap is closed further than this."""
COLUMN_ROUNDS, COLUMN_NODES = 3, 100
"""Rounds of prices over whole columns in each turn, and the nodes for each service in them."""
CHOICE_PARTS = 3
"""The master's choice may take this part of the time that is left."""
ROOM_TOLERANCE = 1e-6


@dataclass(slots=True)
class Decomposition:
    """One problem's planning, and how far it has come; costs are in the packed problem's `unit_cost`.

    `chosen` has a column for each service once there is a plan; `bound` holds for every plan, and is infinite
    where a service has none even by itself. `prices` and the `known` columns are a start, not trusted.
    """

    packed: PackedProblem
    budget: Budget
    prices: Amounts
    known: Sequence[Column] = ()
    bound: float = -np.inf
    chosen: list[Column] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _crew: Crew = field(init=False)
    _master: Master = field(init=False)
    _cap: float = FIRST_CAP
    _least: Amounts = field(init=False)
    _best: Amounts = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.packed.problem.services)
        self._crew = Crew(self.packed.arrays)
        self._master = Master(count, self.packed.room)
        for column in self.known:
            self._master.add(column)
        self._least, self._best = np.full(count, -np.inf), np.full(count, np.inf)

    @property
    def columns(self) -> Sequence[Column]:
        """All plans known of single services."""
        return self._master.columns

    @property
    def cost(self) -> float:
        """What the plan costs; infinity without one."""
        return sum(column.cost for column in self.chosen) if self.chosen else np.inf

    @property
    def is_done(self) -> bool:
        """Whether the gap is reached, or there is no plan."""
        if not self.chosen:
            return self.bound == np.inf
        return self.cost - self.bound <= max(self.budget.gap, CLOSEST) * abs(self.cost)

    def run(self) -> None:
        """Plan until the gap is reached, time is over, or nothing helps any more."""
        self._timed("prices", self._settle_prices)
        for column in self.known:
            cost = column.cost + float((self.prices * column.held).sum())
            self._best[column.service] = min(self._best[column.service], cost)
        for nodes in self._turns():
            self._timed("bound", partial(self._raise_bound, nodes))
            if self.is_done or self.budget.is_spent:
                return
            self._timed("plans", partial(self._choose, nodes))
            if self.is_done or self.budget.is_spent:
                return

    def _turns(self) -> list[int]:
        limit = self.budget.node_limit
        return [nodes for nodes in NODES if limit is None or nodes <= max(1, limit)]

    def _timed(self, phase: str, work: Callable[[], None]) -> None:
        begun = perf_counter()
        work()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - begun

    def _search(self, services: npt.NDArray[np.int64], prices: Amounts, nodes: int, known: Amounts) -> Found:
        """Search `services` at `prices`, apart; the plans found become columns."""
        count = len(services)
        found = self._crew.search(
            services,
            prices,
            np.full_like(prices, np.inf),
            np.full(count, nodes),
            np.full(count, self._services_gap()),
            known,
            self.budget,
        )
        for i in np.flatnonzero(np.isfinite(found.cost)).tolist():
            cost = float(found.cost[i] - (prices * found.held[i]).sum())
            self._master.add(Column(int(services[i]), cost, found.held[i], found.plan[i]))
        return found

    def _services_gap(self) -> float:
        """The gap that may stay open at each service."""
        whole = self.bound if np.isfinite(self.bound) else 0.0
        return max(self.budget.gap * SERVICES_SHARE, CLOSEST) * abs(whole) / len(self._least)

    def _settle_prices(self) -> None:
        """Find the prices at which the linear relaxations prove most."""
        every = np.arange(len(self._least))
        unknown = np.full(len(every), np.inf)
        master = Master(len(every), self.packed.room)
        # Free of charge first: where all fits even so, prices that are remembered only mislead.
        asked, remembered = np.zeros_like(self.prices), self.prices
        for turn in range(PRICE_ROUNDS):
            found = self._search(every, asked, 0, unknown)
            proven = float(found.bound.sum() - (asked * self.packed.room).sum())
            if not np.isfinite(proven):
                self.bound = max(self.bound, proven)
                return
            if proven > self.bound:
                self.bound, self.prices, self._least = proven, asked, found.bound
            costs = found.bound - (asked * found.relaxed_held).sum(axis=(1, 2))
            for s in every.tolist():
                master.add(Column(s, float(costs[s]), found.relaxed_held[s]))
            if self.budget.is_spent:
                return
            settled = master.prices(self._cap, self.budget)
            if settled is None:
                return
            if turn == 0 and settled.is_overused and remembered.any():
                asked = remembered
                continue
            if settled.value - self.bound <= PRICES_SHARE * max(self.budget.gap, CLOSEST) * abs(self.bound):
                if not settled.is_overused or self._cap >= LAST_CAP:
                    return
                self._cap *= CAP_GROWTH
                asked = settled.of
                continue
            asked = SMOOTHING * self.prices + (1 - SMOOTHING) * settled.of

    def _raise_bound(self, nodes: int) -> None:
        """Branch and bound on the services that are open by more than their share, the most open first."""
        open_by = self._best - self._least
        order = np.argsort(-open_by, kind="stable")
        todo = order[open_by[order] > self._services_gap()]
        found = self._search(todo, self.prices, nodes, self._best[todo])
        self._least[todo] = np.maximum(self._least[todo], found.bound)
        self._best[todo] = np.minimum(self._best[todo], found.cost)
        self.bound = max(self.bound, float(self._least.sum() - (self.prices * self.packed.room).sum()))

    def _choose(self, nodes: int) -> None:
        """Let the master choose, repair what it overuses, and improve what costs more than it must."""
        if not np.isfinite(self._best).all():
            return
        if not self.prices.any() and self._try([self._cheapest(s) for s in range(len(self._least))]):
            return
        if not self.known or nodes > NODES[0]:  # what is known is diverse to begin with
            self._diversify(nodes)
        closely = replace(self.budget.slice(CHOICE_PARTS), gap=self.budget.gap * CHOICE_SHARE)
        chosen = self._master.choose(self._cap, self.chosen, closely)
        self._try(self._repaired(chosen or [self._cheapest(s) for s in range(len(self._least))]))
        if self.chosen and not self.is_done:
            self._improve(nodes)

    def _cheapest(self, service: int) -> Column:
        """The column of `service` that is cheapest at the prices."""
        mine = (column for column in self._master.columns if column.service == service)
        return min(mine, key=lambda column: column.cost + float((self.prices * column.held).sum()))

    def _try(self, columns: list[Column]) -> bool:
        """Take `columns` as the plan if they fit and cost less; whether they fit."""
        if not self._fits(columns):
            return False
        if sum(column.cost for column in columns) < self.cost:
            self.chosen = columns
        return True

    def _fits(self, columns: list[Column]) -> bool:
        held = sum((column.held for column in columns), np.zeros_like(self.packed.room))
        return bool((held <= self.packed.room + ROOM_TOLERANCE).all())

    def _diversify(self, nodes: int) -> None:
        """Ask what services would do at the prices that whole columns ask for."""
        paying = np.unique([c.service for c in self._master.columns if (c.held * self.prices).any()])
        for _ in range(COLUMN_ROUNDS):
            settled = self._master.prices(self._cap, self.budget)
            if settled is None or self.budget.is_spent:
                return
            asked = SMOOTHING * self.prices + (1 - SMOOTHING) * settled.of
            self._search(paying, asked, min(nodes, COLUMN_NODES), np.full(len(paying), np.inf))

    def _repaired(self, columns: list[Column]) -> list[Column]:
        """`columns` with others in place of those that overuse the pools, as far as such are found."""
        columns = list(columns)
        held = sum((column.held for column in columns), np.zeros_like(self.packed.room))
        holders = sorted(range(len(columns)), key=lambda i: float(self.packed.arrays.lost[i]))
        for s in holders:
            over = held > self.packed.room + ROOM_TOLERANCE
            if not over.any():
                break
            if (columns[s].held[over] > 0).any():
                room = np.maximum(self.packed.room - held + columns[s].held, 0.0)
                other = self._within(s, room, REPAIR_NODES, np.inf)
                if other is not None:
                    held += other.held - columns[s].held
                    columns[s] = other
        return columns

    def _improve(self, nodes: int) -> None:
        """Plan services again within the room that the others leave, those that gave up most first."""
        held = sum((column.held for column in self.chosen), np.zeros_like(self.packed.room))
        given_up = [
            c.cost + float((self.prices * c.held).sum()) - self._least[c.service] for c in self.chosen
        ]
        for s in np.argsort(-np.array(given_up), kind="stable").tolist():
            if given_up[s] <= self._services_gap() or self.is_done or self.budget.is_spent:
                return
            room = self.packed.room - held + self.chosen[s].held + ROOM_TOLERANCE
            other = self._within(s, room, nodes, self.chosen[s].cost)
            if other is not None:
                held += other.held - self.chosen[s].held
                self.chosen[s] = other

    def _within(self, service: int, room: Amounts, nodes: int, known: float) -> Column | None:
        """A plan of `service` within `room` that costs less than `known`, if one is found."""
        found = self._crew.search(
            [service],
            np.zeros_like(room),
            room,
            np.array([nodes]),
            np.array([self._services_gap()]),
            np.array([known]),
            self.budget,
        )
        if not np.isfinite(found.cost[0]):
            return None
        column = Column(service, float(found.cost[0]), found.held[0], found.plan[0])
        self._master.add(column)
        return column
