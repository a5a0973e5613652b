"""The services of a problem as flat arrays, which is how compiled code wants them.

Existing replicas are counted by flavor and step as PROBLEM.md counts them. Flavors that another one of the
same pool replaces without loss, and that no replica has, are left out. Costs are in `unit_cost`, the
least that a replica costs for a step: tolerances are absolute, and the costs of a short step are not far
above them.
"""

from typing import Any, NamedTuple

import numpy as np

from barista.values.flavor import RESOURCES
from barista.values.problem import FlavorPlan, Problem
from barista_plugins.unit_commitment import Setting
from barista_plugins.worth_starting import most_starts


class Packed(NamedTuple):
    """S services one after the other, service s with the options `first[s]` up to `first[s + 1]` of O.

    By option: `rps`, `setup`, `hold` steps, `most` starts in a step, `step_cost`, `takes` (O, resources of
    all pools); by option and step the existing replicas: `stuck` may not be stopped, `stuck_ready` of them
    serve, `freed` may be stopped from then on. By service: `demand` (S, T), `lost` cost of a request/s for a
    step, `switching` cost of a start or stop, `minimum` from step `binds_from`, `maximum`.

    Options of one `family` (O), which is the number in the service of its first option, change into each
    other in place. Unserved demand has parts, of service s those from `part[s]` up to `part[s + 1]`: each is
    up to its `share` of the step's demand and costs `factor` times `lost`; the last one takes any amount.
    At `rest_prices` (R, T), all steps but the last cost at least `rest` (S), as far as that is proven.
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
    family: Any
    part: Any
    share: Any
    factor: Any
    demand: Any
    lost: Any
    switching: Any
    minimum: Any
    maximum: Any
    binds_from: Any
    rest: Any
    rest_prices: Any


def most_variables(arrays: Packed) -> int:
    """How many variables the program of any service has at most (see `service_rows`)."""
    options, parts = np.diff(arrays.first).max(initial=0), np.diff(arrays.part).max(initial=0)
    return int((3 * options + parts) * arrays.demand.shape[1])


class PackedProblem:
    """A problem's services, packed, and the way back from counts to plans.

    `resources` names what the rows of `room` are of, `options` the flavors of each service that are options.
    """

    def __init__(self, problem: Problem) -> None:
        setting = Setting.of(problem)
        steps = problem.steps
        self.problem, self.unit_cost, self.room = problem, setting.unit_cost, setting.room
        self.resources = [(pool.name, resource) for pool in problem.pools for resource in RESOURCES]
        self.options: list[list[str]] = []
        first = [0]
        numbers: list[tuple[float, int, int, int, float]] = []
        takes, stuck, stuck_ready, freed = [], [], [], []
        family: list[int] = []
        parts = [service.shortfall_steps or ((1.0, 1.0),) for service in problem.services]
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
            kin = [(setting.flavors[name].family, setting.flavors[name].pool) for name in names]
            family += [kin.index(one) for one in kin]
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
            family=np.array(family, np.int64),
            part=np.cumsum([0, *(len(one) for one in parts)]),
            share=np.array([share for one in parts for share, _ in one]),
            factor=np.array([factor for one in parts for _, factor in one]),
            demand=np.array([s.demand_rps for s in services], np.float64),
            lost=np.array([s.shortfall_cost_per_request for s in services])
            * (problem.step_s / self.unit_cost),
            switching=np.array([s.switching_cost for s in services]) / self.unit_cost,
            minimum=np.array([s.min_replicas for s in services], np.float64),
            maximum=np.array([s.max_replicas for s in services], np.float64),
            binds_from=np.array([setting.binds_from[s.name] for s in services], np.int64),
            rest=np.full(len(services), -np.inf),
            rest_prices=np.zeros_like(setting.room),
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
            gone = over + self.arrays.freed[first + f].astype(np.int64) - np.diff(stays, prepend=0)
            resized = np.maximum(0, -gone)  # more than before, without a start: from its family
            plans[name] = FlavorPlan(
                tuple((starts[f] + resized).tolist()),
                tuple(np.maximum(0, gone).tolist()),
                tuple(resized.tolist()) if resized.any() else (),
            )
        return plans
