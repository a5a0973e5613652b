"""The problem one step later, if its plan is carried out: what a warm second plan starts from."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from barista.values.problem import ExistingReplica, FlavorPlan, Plan, Problem, ServiceProblem


def moved(problem: Problem, share: float) -> Problem:
    """`problem` with each step's demand up to `share` lower or higher, at random, always the same."""
    rng = np.random.default_rng(0)
    services = tuple(
        replace(
            service,
            demand_rps=tuple(rps * float(rng.uniform(1 - share, 1 + share)) for rps in service.demand_rps),
        )
        for service in problem.services
    )
    return replace(problem, services=services)


def one_step_later(problem: Problem, plan: Plan) -> Problem:
    """`problem` seen from its second step, after the first step of `plan`; the last step's demand goes on."""
    services = tuple(_later(service, plan.services.get(service.name, {})) for service in problem.services)
    return replace(problem, name=f"{problem.name}+1", services=services)


def _later(service: ServiceProblem, plans: Mapping[str, FlavorPlan]) -> ServiceProblem:
    replicas: list[ExistingReplica] = []
    for option in service.flavors:
        counts = plans.get(option.flavor)
        started, stopped = (counts.start[0], counts.stop[0]) if counts else (0, 0)
        resized = counts.resized[0] if counts and counts.resized else 0
        mine = [replica for replica in service.replicas if replica.flavor == option.flavor]
        mine += [ExistingReplica(option.flavor, 0, 0)] * resized
        mine += [ExistingReplica(option.flavor, option.setup_steps, option.lease_steps)] * (started - resized)
        free = [replica for replica in mine if max(replica.ready_in, replica.lease_left) == 0]
        held = [replica for replica in mine if max(replica.ready_in, replica.lease_left) > 0]
        for replica in [*held, *free[stopped:]]:
            replicas.append(
                replace(
                    replica,
                    ready_in=max(0, replica.ready_in - 1),
                    lease_left=max(0, replica.lease_left - 1),
                )
            )
    demand = (*service.demand_rps[1:], service.demand_rps[-1])
    return replace(service, demand_rps=demand, replicas=tuple(replicas))
