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

2 and 3 take turns, with more nodes each time, until the gap is reached or time is over. A plan carried over
from the step before comes first: where a little proof and repair bring it within the gap, that is all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt

from barista_plugins.carried import Start
from barista_plugins.cbc import Budget
from barista_plugins.crew import Crew, Found
from barista_plugins.level import level
from barista_plugins.master import Column, Master
from barista_plugins.packed import PackedProblem

Amounts = npt.NDArray[np.float64]

SMOOTHING = 0.5
PRICE_ROUNDS = 20
CAP_GROWTH, LAST_CAP = 10.0, 1e6
"""What overuse costs grows so far where pools are overused even so."""
NODES = (1, 100, 1000, 3000, 10000, 30000)
"""Nodes that one service's branch and bound may take, turn by turn."""
REPAIR_NODES = 100
PRICES_SHARE, SERVICES_SHARE, CHOICE_SHARE = 0.1, 0.3, 0.1
"""Shares of the gap that are left to unsettled prices, the services' own gaps, the master's choice."""
CLOSEST = 1e-7
"""No gap is closed further than this."""
RESUME_NODES = (100,)
"""Nodes that one service may take where a plan is resumed, before prices are looked for anew."""
NEAR = 2.0
"""Times the gap within which improving a resumed plan is tried before prices are looked for anew."""
PLAN_SHARE = 0.5
"""Share of the gap by which a plan may cost more than the best known at the prices; else it is improved."""
LEVEL_SHARE = 0.95
"""Share of the gap that services are closed to: less than all, for some cannot be."""
PART = 16
"""Services searched between two looks at whether the gap is reached."""
COLUMN_ROUNDS, COLUMN_NODES, DIVERSE_NODES = 3, 100, 3000
"""Rounds of prices over whole columns in a turn, the nodes for each service in them, the last such turn."""
CHOICE_PARTS = 3
"""The master's choice may take this part of the time that is left."""
ROOM_TOLERANCE = 1e-6


@dataclass(slots=True)
class Decomposition:
    """One problem's planning, and how far it has come; costs are in the packed problem's `unit_cost`.

    `chosen` has a column for each service once there is a plan; `bound` holds for every plan, and is infinite
    where a service has none even by itself. `proven` (S) is what each service costs at least at `prices`,
    which are no more than `cap`.
    """

    packed: PackedProblem
    budget: Budget
    start: Start
    prices: Amounts = field(init=False)
    proven: Amounts = field(init=False)
    cap: float = field(init=False)
    bound: float = -np.inf
    chosen: list[Column] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _crew: Crew = field(init=False)
    _master: Master = field(init=False)
    _best: Amounts = field(init=False)
    _held: Amounts = field(init=False)
    _remembered: tuple[Amounts, Amounts] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.packed.problem.services)
        proven = {"rest": self.start.rest, "rest_prices": self.start.prices}
        self._crew = Crew(self.packed.arrays._replace(**proven))
        self._master = Master(count, self.packed.room)
        self.prices, self.proven = self.start.prices, self.start.least.copy()
        self.cap, self._best = self.start.cap, np.full(count, np.inf)

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

    @property
    def _given_up(self) -> float:
        """What the plan costs more than the best known of each service at the prices, and room to spare."""
        worth = float((self.prices * (self.packed.room - self._held)).sum())
        return worth + sum(self._priced(column) for column in self.chosen) - float(self._best.sum())

    @property
    def _wants_proof(self) -> bool:
        """Whether the gap is open mostly because the best known of each service is not proven to be so."""
        return bool(self.chosen) and self._given_up <= PLAN_SHARE * self.budget.gap * abs(self.cost)

    def run(self) -> None:
        """Plan until the gap is reached, time is over, or nothing helps any more."""
        if self.start.chosen:
            self._timed("resume", self._resume)
            if self.is_done or self.budget.is_spent:
                return
        self._remembered = self.prices, self.proven
        self._timed("prices", self._settle_prices)
        for column in (*self.start.chosen, *self.start.known):
            self._master.add(column)
        self._best = np.full(len(self.proven), np.inf)
        for column in self.columns:
            self._best[column.service] = min(self._best[column.service], self._priced(column))
        is_stuck = False
        for nodes in self._within_limit(NODES):
            bound, cost = self.bound, self.cost
            self._timed("bound", partial(self._raise_bound, nodes))
            if self.is_done or self.budget.is_spent or (is_stuck and self.bound == bound):
                return
            if not (is_stuck or self._wants_proof):
                self._timed("plans", partial(self._choose, nodes))
                if self.is_done or self.budget.is_spent:
                    return
                is_stuck = nodes > COLUMN_NODES and self.cost == cost

    def _resume(self) -> None:
        """Go on with the plan chosen before, at its prices: prove and improve where most is open."""
        if not self._try(list(self.start.chosen)):
            return
        self._best = np.array([self._priced(column) for column in self.chosen])
        unproven = np.flatnonzero(~np.isfinite(self.proven))
        self.proven[unproven] = self._search(unproven, self.prices, 0, self._best[unproven]).bound
        self._update_bound()
        for nodes in self._within_limit(RESUME_NODES):
            self._raise_bound(nodes)
            if self._wants_proof:
                continue
            if self.cost - self.bound <= NEAR * self.budget.gap * abs(self.cost):
                self._improve(nodes)
            if not self._wants_proof:
                return

    def _within_limit(self, turns: Sequence[int]) -> list[int]:
        limit = self.budget.node_limit
        return [nodes for nodes in turns if limit is None or nodes <= max(1, limit)]

    def _timed(self, phase: str, work: Callable[[], None]) -> None:
        begun = perf_counter()
        work()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - begun

    def _search(
        self, services: npt.NDArray[np.int64], prices: Amounts, nodes: int, known: Amounts, gap: float = 0.0
    ) -> Found:
        """Search `services` at `prices`, apart, to within `gap`; the plans found become columns."""
        count = len(services)
        found = self._crew.search(
            services,
            prices,
            np.full_like(prices, np.inf),
            np.full(count, nodes),
            np.full(count, max(gap, self._services_gap())),
            known,
            self.budget,
        )
        for i in np.flatnonzero(np.isfinite(found.cost)).tolist():
            cost = float(found.cost[i] - (prices * found.held[i]).sum())
            self._take_in(Column(int(services[i]), cost, found.held[i], found.plan[i]))
        return found

    def _take_in(self, column: Column) -> None:
        """Know `column`, and choose it where it fits and costs less than what is chosen."""
        self._master.add(column)
        if not self.chosen or column.cost >= self.chosen[column.service].cost:
            return
        held = self._held + column.held - self.chosen[column.service].held
        if (held <= self.packed.room + ROOM_TOLERANCE).all():
            self.chosen[column.service], self._held = column, held

    def _services_gap(self) -> float:
        """The gap that may stay open at each service at least."""
        whole = self.bound if np.isfinite(self.bound) else 0.0
        return max(self.budget.gap * SERVICES_SHARE, CLOSEST) * abs(whole) / len(self.proven)

    def _to_close(self, open_by: Amounts, is_closable: npt.NDArray[np.bool_]) -> float:
        """The gap to which services that can be are to be closed, for the whole gap to be reached.

        First as if the others were closed too, some time; when that is done, with what they leave open.
        """
        left = LEVEL_SHARE * self.budget.gap * abs(self.cost) - self._given_up
        for given_up in (0.0, float(np.maximum(open_by[~is_closable], 0.0).sum())):
            gap = max(level(np.maximum(open_by[is_closable], 0.0), left - given_up), self._services_gap())
            if (is_closable & (open_by > gap)).any():
                break
        return gap

    def _settle_prices(self) -> None:
        """Find the prices at which the linear relaxations prove most."""
        every = np.arange(len(self.proven))
        unknown = np.full(len(every), np.inf)
        master = Master(len(every), self.packed.room)
        best = -np.inf
        asked = self.prices
        for column in (*self.start.chosen, *self.start.known):
            master.add(column)
        for _ in range(PRICE_ROUNDS):
            found = self._search(every, asked, 0, unknown)
            value = float(found.bound.sum() - (asked * self.packed.room).sum())
            if not np.isfinite(value):
                self.bound = max(self.bound, value)
                return
            if value > best:
                best, self.prices, self.proven = value, asked, self._proven_at(asked, found.bound)
                self._update_bound()
            costs = found.bound - (asked * found.relaxed_held).sum(axis=(1, 2))
            for s in every.tolist():
                master.add(Column(s, float(costs[s]), found.relaxed_held[s]))
            if self.budget.is_spent:
                return
            settled = master.prices(self.cap, self.budget)
            if settled is None or self.is_done:
                return
            if settled.value - best <= PRICES_SHARE * max(self.budget.gap, CLOSEST) * abs(best):
                if not settled.is_overused or self.chosen or self.cap >= LAST_CAP:
                    return
                self.cap *= CAP_GROWTH
                asked = settled.of
                continue
            # Free of charge at once: where all fits even so, prices that are remembered only mislead.
            asked = SMOOTHING * self.prices + (1 - SMOOTHING) * settled.of if settled.of.any() else settled.of

    def _proven_at(self, prices: Amounts, relaxed: Amounts) -> Amounts:
        """What is proven of each service at `prices`, of which the `relaxed` bounds are now."""
        return np.maximum(relaxed, self._remembered[1]) if prices is self._remembered[0] else relaxed

    def _raise_bound(self, nodes: int) -> None:
        """Branch and bound on the services that are open by more than their share, the most open first.

        Where proof is all that is wanting, until the gap is reached or cannot be.
        """
        is_closable, wants_proof = np.ones(len(self.proven), bool), self._wants_proof
        while not self.is_done and not self.budget.is_spent:
            open_by = self._best - self.proven
            gap = self._to_close(open_by, is_closable) if wants_proof else self._services_gap()
            todo = np.flatnonzero(is_closable & (open_by > gap))
            part = todo[np.argsort(-open_by[todo], kind="stable")][: PART if self.chosen else None]
            if not len(part):
                return
            found = self._search(part, self.prices, nodes, self._best[part], gap)
            self.proven[part] = np.maximum(self.proven[part], found.bound)
            self._best[part] = np.minimum(self._best[part], found.cost)
            is_closable[part] = bool(self.chosen) & (self._best[part] - self.proven[part] <= gap)
            self._update_bound()

    def _update_bound(self) -> None:
        self.bound = max(self.bound, float(self.proven.sum() - (self.prices * self.packed.room).sum()))

    def _choose(self, nodes: int) -> None:
        """Let the master choose, repair what it overuses, and improve what costs more than it must."""
        if not np.isfinite(self._best).all():
            return
        if not self.prices.any() and self._try(self._cheapest()):
            return
        if self.chosen:
            self._improve(nodes)
            if self.is_done or self._wants_proof:
                return
        if nodes <= DIVERSE_NODES and not (self.start.known and nodes <= COLUMN_NODES):
            self._diversify(nodes)  # what is known is diverse to begin with
        closely = replace(self.budget.slice(CHOICE_PARTS), gap=self.budget.gap * CHOICE_SHARE)
        chosen = self._master.choose(self.cap, self.chosen, closely)
        before = self.chosen
        self._try(self._repaired(chosen or self._cheapest()))
        if self.chosen is not before and not self.is_done:
            self._improve(nodes)

    def _priced(self, column: Column) -> float:
        """What `column` costs at the prices."""
        return column.cost + float((self.prices * column.held).sum())

    def _cheapest(self) -> list[Column]:
        """The column of each service that is cheapest at the prices."""
        best: list[tuple[float, Column | None]] = [(np.inf, None)] * len(self.proven)
        for column in self.columns:
            if (cost := self._priced(column)) < best[column.service][0]:
                best[column.service] = cost, column
        return [column for _, column in best if column is not None]

    def _try(self, columns: list[Column]) -> bool:
        """Take `columns` as the plan if they fit and cost less; whether they fit."""
        held = sum((column.held for column in columns), np.zeros_like(self.packed.room))
        if not (held <= self.packed.room + ROOM_TOLERANCE).all():
            return False
        if sum(column.cost for column in columns) < self.cost:
            self.chosen, self._held = columns, held
        return True

    def _diversify(self, nodes: int) -> None:
        """Ask what services would do at the prices that whole columns ask for, while that changes them."""
        paying = np.unique([c.service for c in self._master.columns if (c.held * self.prices).any()])
        value = np.inf
        for _ in range(COLUMN_ROUNDS):
            settled = self._master.prices(self.cap, self.budget)
            if (
                settled is None
                or self.budget.is_spent
                or settled.value >= value - CLOSEST * abs(settled.value)
            ):
                return
            value = settled.value
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
                    self._master.add(other)
                    held += other.held - columns[s].held
                    columns[s] = other
        return columns

    def _improve(self, nodes: int) -> None:
        """Plan services again within the room that the others leave, those that gave up most first."""
        if not self.prices.any():
            return  # there is room for what each does by itself
        given_up = np.array([self._priced(column) for column in self.chosen]) - self.proven
        for s in np.argsort(-given_up, kind="stable").tolist():
            if given_up[s] <= self._services_gap() or self.is_done or self.budget.is_spent:
                return
            room = self.packed.room - self._held + self.chosen[s].held + ROOM_TOLERANCE
            other = self._within(s, room, nodes, self.chosen[s].cost)
            if other is not None:
                self._take_in(other)

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
        return Column(service, float(found.cost[0]), found.held[0], found.plan[0])
