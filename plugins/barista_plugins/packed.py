"""The services of a problem as flat arrays, which is how compiled code wants them.

Existing replicas are counted by flavor and step as PROBLEM.md counts them. Flavors that another one of the
same pool replaces without loss, and that no replica has, are left out. Costs are in `unit_cost`, the
least that a replica costs for a step: tolerances are absolute, and the costs of a short step are not far
above them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from barista.values.problem import FlavorPlan, Problem
from barista_plugins.unit_commitment import Setting, most_starts


class Packed(NamedTuple):
    """S services one after the other, service s with the options `first[s]` up to `first[s + 1]` of O.

    By option: `rps`, `setup`, `hold` steps, `most` starts in a step, `step_cost`, `takes` (O, resources of
    all pools); by option and step the existing replicas: `stuck` may not be stopped, `stuck_ready` of them
    serve, `freed` may be stopped from then on. By service: `demand` (S, T), `lost` cost of a request/s for a
    step, `switching` cost of a start or stop, `minimum` from step `binds_from`, `maximum`.
    """

    first: Any
    rps: Any
    setup: Any
    hold: Any
    most: Any
    step_cost: Any
    takes: Any
    stuck: Any
    stuck_ready: Any
    freed: Any
    demand: Any
    lost: Any
    switching: Any
    minimum: Any
    maximum: Any
    binds_from: Any


class PackedProblem:
    """A problem's services, packed, and the way back from counts to plans."""

    def __init__(self, problem: Problem) -> None:
        setting = Setting.of(problem)
        steps = problem.steps
        self.problem, self.unit_cost, self.room = problem, setting.unit_cost, setting.room
        self.options: list[list[str]] = []
        first = [0]
        numbers: list[tuple[float, int, int, int, float]] = []
        takes, stuck, stuck_ready, freed = [], [], [], []
        for service in problem.services:
            names = []
            for option in service.flavors:
                most = most_starts(service, option, setting.flavors)
                mine = [r for r in service.replicas if r.flavor == option.flavor]
                if not most and not mine:
                    continue
                names.append(option.flavor)
                hold = max(option.setup_steps, option.lease_steps)
                cost = setting.step_cost(option.flavor)
                numbers.append((option.rps, option.setup_steps, hold, most, cost))
                takes.append(setting.takes[option.flavor])
                counts = np.zeros((3, steps))
                for replica in mine:
                    free = max(replica.ready_in, replica.lease_left)
                    counts[0, :free] += 1
                    counts[1, replica.ready_in : free] += 1
                    counts[2, free : free + 1] += 1
                stuck.append(counts[0])
                stuck_ready.append(counts[1])
                freed.append(counts[2])
            self.options.append(names)
            first.append(len(numbers))
        services = problem.services
        columns = np.array(numbers, np.float64).reshape(-1, 5).T
        self.arrays = Packed(
            first=np.array(first, np.int64),
            rps=columns[0].copy(),
            setup=columns[1].astype(np.int64),
            hold=columns[2].astype(np.int64),
            most=columns[3].copy(),
            step_cost=columns[4].copy(),
            takes=np.array(takes).reshape(len(numbers), len(setting.room)),
            stuck=np.array(stuck).reshape(-1, steps),
            stuck_ready=np.array(stuck_ready).reshape(-1, steps),
            freed=np.array(freed).reshape(-1, steps),
            demand=np.array([s.demand_rps for s in services], np.float64),
            lost=np.array([s.shortfall_cost_per_request for s in services])
            * (problem.step_s / self.unit_cost),
            switching=np.array([s.switching_cost for s in services]) / self.unit_cost,
            minimum=np.array([s.min_replicas for s in services], np.float64),
            maximum=np.array([s.max_replicas for s in services], np.float64),
            binds_from=np.array([setting.binds_from[s.name] for s in services], np.int64),
        )

    def plan_of(self, service: int, variables: Any) -> dict[str, FlavorPlan]:
        """Starts and stops of `service`, by flavor, from the variables of its program."""
        steps, first, names = self.problem.steps, self.arrays.first[service], self.options[service]
        starts = np.rint(variables[: len(names) * steps]).astype(np.int64).reshape(-1, steps)
        held = np.rint(variables[len(names) * steps : 2 * len(names) * steps]).astype(np.int64)
        plans = {}
        for f, name in enumerate(names):
            hold = int(self.arrays.hold[first + f])
            stays = held.reshape(-1, steps)[f]
            over = np.zeros(steps, np.int64)
            over[hold:] = starts[f, : max(0, steps - hold)]
            stops = over + self.arrays.freed[first + f].astype(np.int64) - np.diff(stays, prepend=0)
            plans[name] = FlavorPlan(tuple(starts[f].tolist()), tuple(stops.tolist()))
        return plans

    def column_of(
        self, service: int, plan: Mapping[str, FlavorPlan]
    ) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """`plan` of `service` as its cost, what it holds (R, T) and its variables; None where it is none.

        Starts that no plan needs and stops that no replica allows are left out.
        """
        a, steps, first, names = (
            self.arrays,
            self.problem.steps,
            self.arrays.first[service],
            self.options[service],
        )
        nothing = FlavorPlan((0,) * steps, (0,) * steps)
        starts, held = np.zeros((2, len(names), steps))
        paid, served, changes = np.zeros_like(held), np.zeros(steps), 0.0
        for f, name in enumerate(names):
            o, counts = first + f, plan.get(name, nothing)
            if len(counts.start) != steps:
                return None
            starts[f] = np.minimum(counts.start, a.most[o])
            if a.minimum[service] == 0:
                starts[f, max(0, steps - a.setup[o]) :] = 0.0
            so_far = np.cumsum(starts[f])
            over, ready = (
                np.concatenate([np.zeros(min(n, steps)), so_far[: max(0, steps - n)]])
                for n in (a.hold[o], a.setup[o])
            )
            free = np.diff(over, prepend=0.0) + a.freed[o]
            stops = np.minimum(counts.stop, _stoppable(free, counts.stop))
            held[f] = np.cumsum(free - stops)
            paid[f] = a.stuck[o] + so_far - over + held[f]
            served += a.rps[o] * (a.stuck_ready[o] + ready - over + held[f])
            changes += starts[f].sum() + stops.sum()
        total, bound = paid.sum(axis=0), np.arange(steps) >= a.binds_from[service]
        if (total > a.maximum[service]).any() or (total[bound] < a.minimum[service]).any():
            return None
        lost = np.maximum(0.0, a.demand[service] - served)
        mine = slice(first, first + len(names))
        cost = a.step_cost[mine] @ paid.sum(axis=1) + a.lost[service] * lost.sum()
        cost += a.switching[service] * changes
        variables = np.concatenate([starts.ravel(), held.ravel(), lost])
        return float(cost), a.takes[mine].T @ paid, variables


def _stoppable(free: npt.NDArray[np.float64], stops: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """The most that can stop at each step, where `free` (T) come to be allowed to and `stops` are wanted."""
    most, left = np.zeros(len(free)), 0.0
    for t, (come, wanted) in enumerate(zip(free.tolist(), stops, strict=True)):
        most[t] = left + come
        left = max(0.0, most[t] - wanted)
    return most
