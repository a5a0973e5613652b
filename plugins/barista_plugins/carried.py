"""Carried: what one plan leaves to the next, which is most often made for the same services a step later.

The prices of the pools, the plan that was chosen, the cheapest others known of each service, and what is
proven of each service at the prices: all moved on by a step (see `later`). Prices and plans are a start and
nothing more, for plans are priced again. What is proven holds on where the services are what they would be
after the first step of the chosen plan, and is left out where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from barista_plugins.cbc import Budget
from barista_plugins.crew import Crew
from barista_plugins.later import plans_later, rest_later
from barista_plugins.master import Column
from barista_plugins.packed import Packed, PackedProblem, most_variables

Amounts = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

FIRST_CAP = 50.0
"""Most that overuse of a pool costs at first, in `unit_cost` for a unit of a resource and a step."""
MOST_PLANS = 4
"""Plans kept of each service."""
LAST_STEP_NODES = 200


@dataclass(frozen=True, slots=True)
class Start:
    """Where planning begins: `prices` (R, T), and what each service costs at least at them (S).

    `least` is of all steps, `rest` of all but the last; -infinity where nothing is proven. Prices are at most
    `cap`. `chosen` has a column for each service, or is empty; `known` are others.
    """

    prices: Amounts
    least: Amounts
    rest: Amounts
    cap: float = FIRST_CAP
    chosen: Sequence[Column] = ()
    known: Sequence[Column] = ()

    @staticmethod
    def from_nothing(packed: PackedProblem) -> "Start":
        """Nothing known, nothing proven."""
        nothing = np.full(len(packed.options), -np.inf)
        return Start(np.zeros_like(packed.room), nothing, nothing)


@dataclass(frozen=True, slots=True)
class Carried:
    """What is left of planning `packed`: `prices` (R, T), what is `proven` of services at them (S), plans."""

    packed: PackedProblem
    prices: Amounts
    cap: float
    proven: Amounts
    chosen: Sequence[Column]
    known: Sequence[Column] = field(default=())

    @staticmethod
    def of(
        packed: PackedProblem,
        prices: Amounts,
        cap: float,
        proven: Amounts,
        chosen: Sequence[Column],
        columns: Sequence[Column],
    ) -> "Carried":
        """What is left where `columns` are known at the end; the cheapest at the prices are kept."""
        whole = [column for column in columns if column.plan is not None]
        if not whole:
            return Carried(packed, prices, cap, proven, chosen)
        services = np.array([column.service for column in whole])
        held = np.array([column.held for column in whole])
        cost = np.array([column.cost for column in whole]) + np.tensordot(held, prices)
        order = np.lexsort((cost, services))
        rank = np.arange(len(order)) - np.searchsorted(services[order], services[order])
        known = [whole[i] for i in order[rank < MOST_PLANS].tolist()]
        return Carried(packed, prices, cap, proven, chosen, known)

    def start(self, packed: PackedProblem) -> Start:
        """What there is to start from a step later."""
        if packed.resources != self.packed.resources or packed.room.shape != self.packed.room.shape:
            return Start.from_nothing(packed)
        link = _Link.between(self.packed, packed)
        prices = np.concatenate([self.prices[:, 1:], self.prices[:, -1:]], axis=1)
        chosen = link.columns_later(self.chosen)
        rest = link.rest_later(self.chosen, self.proven, self.prices)
        proven = np.flatnonzero(np.isfinite(rest))
        least = rest.copy()
        least[proven] += _last_step(packed.arrays, proven, prices[:, -1:])
        return Start(
            prices=prices,
            least=least,
            rest=rest,
            cap=self.cap,
            chosen=chosen if len(chosen) == len(packed.options) else (),
            known=link.columns_later(self.known),
        )


@dataclass(frozen=True, slots=True)
class _Link:
    """Two problems: each service of `old` is number `now` in `new` (-1: gone); `origin`: see `later`."""

    old: Packed
    new: Packed
    now: Numbers
    origin: Numbers

    @staticmethod
    def between(old: PackedProblem, new: PackedProblem) -> "_Link":
        was = {service.name: s for s, service in enumerate(old.problem.services)}
        now = np.full(len(was), -1)
        origin: list[int] = []
        for s, service in enumerate(new.problem.services):
            before = was.get(service.name)
            names = [] if before is None else old.options[before]
            origin += [names.index(name) if name in names else -1 for name in new.options[s]]
            if before is not None:
                now[before] = s
        return _Link(old.arrays, new.arrays, now, np.array(origin, np.int64))

    def columns_later(self, columns: Sequence[Column]) -> list[Column]:
        """Those of `columns` that go on a step later."""
        columns = [column for column in columns if self.now[column.service] >= 0]
        if not columns:
            return []
        services, plans = _stacked(columns)
        out, cost = np.zeros((len(columns), most_variables(self.new))), np.zeros(len(columns))
        held = np.zeros((len(columns), self.new.takes.shape[1], self.new.demand.shape[1]))
        now = self.now[services]
        plans_later(self.old, services, plans, self.new, now, self.origin, out, held, cost)
        return [
            Column(int(now[i]), float(cost[i]), held[i], out[i]) for i in np.flatnonzero(np.isfinite(cost))
        ]

    def rest_later(self, chosen: Sequence[Column], proven: Amounts, prices: Amounts) -> Amounts:
        """What all steps but the last of each service of `new` cost at least, by what was `proven` before."""
        rest = np.full(len(self.new.demand), -np.inf)
        chosen = [column for column in chosen if self.now[column.service] >= 0]
        if chosen:
            services, plans = _stacked(chosen)
            now, moved = self.now[services], proven[services]
            rest_later(self.old, services, plans, self.new, now, self.origin, prices[:, 0].copy(), moved)
            rest[now] = moved
        return rest


def _stacked(columns: Sequence[Column]) -> tuple[Numbers, Amounts]:
    return np.array([c.service for c in columns]), np.array([c.plan for c in columns], np.float64)


def _last_step(arrays: Packed, services: Numbers, prices: Amounts) -> Amounts:
    """The least that the last step costs the `services` at `prices` (R, 1), with any replicas set up."""
    last, options = arrays.demand.shape[1] - 1, len(arrays.rps)
    alone = arrays._replace(
        setup=np.zeros(options, np.int64),
        hold=np.ones(options, np.int64),
        most=np.repeat(arrays.maximum, np.diff(arrays.first)),
        stuck=arrays.stuck[:, last:].copy(),
        stuck_ready=arrays.stuck_ready[:, last:].copy(),
        freed=np.zeros((options, 1)),
        family=np.arange(options) - np.repeat(arrays.first[:-1], np.diff(arrays.first)),
        demand=arrays.demand[:, last:].copy(),
        switching=np.zeros_like(arrays.switching),
        binds_from=np.maximum(0, arrays.binds_from - last),
        rest=np.full_like(arrays.rest, -np.inf),
        rest_prices=np.zeros_like(prices),
    )
    found = Crew(alone).search(
        services,
        prices.copy(),
        np.full_like(prices, np.inf),
        np.full(len(services), LAST_STEP_NODES),
        np.zeros(len(services)),
        np.full(len(services), np.inf),
        Budget(None, 0.0, None),
    )
    return found.bound
