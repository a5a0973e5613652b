"""The course of a plan: what each service of a problem holds and serves at every step, ready to be shown."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from barista.plan.counts import Amounts, Counts, minimum_binds_from
from barista.plan.holding import Holding, ServiceTerms
from barista.values.problem import Plan, Problem


@dataclass(frozen=True, slots=True)
class Course:
    """One service under a plan: replicas by flavor, requests/s over the steps (T), cost over them all.

    `ready` replicas serve, `starting` ones are paid and do not serve yet.
    """

    name: str
    ready: Mapping[str, Counts]
    starting: Mapping[str, Counts]
    ready_rps: Mapping[str, Amounts]
    demand_rps: Amounts
    cost: float

    @property
    def capacity_rps(self) -> Amounts:
        """What all that is ready can serve, shape (T,)."""
        return np.asarray(sum(self.ready_rps.values(), np.zeros_like(self.demand_rps)))

    @property
    def served_share(self) -> float:
        """The share of the demand that is served; 1 without demand."""
        offered = float(self.demand_rps.sum())
        return float(np.minimum(self.demand_rps, self.capacity_rps).sum()) / offered if offered > 0 else 1.0

    @property
    def flavors(self) -> tuple[str, ...]:
        """The flavors that are held at any step."""
        return tuple(name for name in self.ready if (self.ready[name] + self.starting[name]).any())


def courses(problem: Problem, plan: Plan) -> tuple[Course, ...]:
    """The course of every service under `plan`, the dearest first."""
    binds_from = minimum_binds_from(problem)
    found = []
    for service in problem.services:
        terms = ServiceTerms.within(problem, service, binds_from[service.name])
        holding = Holding.of(terms, plan.services.get(service.name, {}))
        names = [option.flavor for option in service.flavors]
        ready, waiting = holding.ready, holding.paid - holding.ready
        found.append(
            Course(
                name=service.name,
                ready=dict(zip(names, ready, strict=True)),
                starting=dict(zip(names, waiting, strict=True)),
                ready_rps={name: terms.rps[f] * ready[f] for f, name in enumerate(names)},
                demand_rps=terms.demand_rps,
                cost=holding.cost,
            )
        )
    return tuple(sorted(found, key=lambda course: (-course.cost, course.name)))
