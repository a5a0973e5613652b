"""Instances and plans on disk: the planning benchmark's JSON (plain or gzip'd) as values.

The same files that the benchmark's checker reads, so a plan made here can be judged there, and a
problem posed by the controller can be stored and solved again by itself. What goes beyond the benchmark
(`family` of a flavor, `switching_cost` and `shortfall_steps` of a service, `resized` of a plan) is
written only where it is set.
"""

import gzip
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    FlavorPlan,
    Plan,
    PlanStatus,
    Problem,
    ServiceProblem,
)

GZIP_MAGIC = b"\x1f\x8b"
READ = "read"
"""The planner named by a plan that was read from a file."""


class InstanceError(Exception):
    """An instance or plan file is wrong or missing; the message names the place and the mend."""


class _Json(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class _Pool(_Json):
    name: str
    cpu: float = Field(ge=0)
    memory_gib: float = Field(ge=0)
    gpu: float = Field(ge=0)


class _Flavor(_Json):
    name: str
    pool: str
    cpu: float = Field(ge=0)
    memory_gib: float = Field(ge=0)
    gpu: float = Field(ge=0)
    cost_per_hour: float = Field(ge=0)
    family: str = ""


class _Option(_Json):
    flavor: str
    rps: float = Field(ge=0)
    setup_steps: int = Field(ge=0)
    lease_steps: int = Field(ge=0)


class _Replica(_Json):
    flavor: str
    ready_in: int = Field(ge=0)
    lease_left: int = Field(ge=0)


class _Service(_Json):
    name: str
    demand_rps: list[float]
    shortfall_cost_per_request: float = Field(ge=0)
    min_replicas: int = Field(ge=0)
    max_replicas: int = Field(ge=0)
    flavors: list[_Option]
    replicas: list[_Replica]
    switching_cost: float = Field(0.0, ge=0)
    shortfall_steps: list[tuple[float, float]] = Field(default_factory=list)

    def value(self) -> ServiceProblem:
        return ServiceProblem(
            name=self.name,
            demand_rps=tuple(self.demand_rps),
            shortfall_cost_per_request=self.shortfall_cost_per_request,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            flavors=tuple(FlavorOption(**option.model_dump()) for option in self.flavors),
            replicas=tuple(ExistingReplica(**replica.model_dump()) for replica in self.replicas),
            switching_cost=self.switching_cost,
            shortfall_steps=tuple(self.shortfall_steps),
        )


class _Instance(_Json):
    name: str = ""
    step_s: float = Field(gt=0)
    steps: int = Field(ge=1)
    pools: list[_Pool]
    flavors: list[_Flavor]
    services: list[_Service]


class _FlavorPlan(_Json):
    start: list[int]
    stop: list[int]
    resized: list[int] = Field(default_factory=list)


class _Plan(_Json):
    services: dict[str, dict[str, _FlavorPlan]]


_Model = TypeVar("_Model", bound=BaseModel)


def read_instance(path: Path) -> Problem:
    """The problem stored at `path`. InstanceError says in one line what is wrong, and where."""
    raw = _parse(path, _Instance)
    problem = Problem(
        name=raw.name or path.name.removesuffix(".gz").removesuffix(".json"),
        step_s=raw.step_s,
        steps=raw.steps,
        pools=tuple(Pool(**pool.model_dump()) for pool in raw.pools),
        flavors=tuple(Flavor(**flavor.model_dump()) for flavor in raw.flavors),
        services=tuple(service.value() for service in raw.services),
    )
    fault = fault_in(problem)
    if fault is not None:
        raise InstanceError(f"{path}: {fault}")
    return problem


def write_instance(path: Path, problem: Problem) -> None:
    """Write `problem` to `path`, gzip'd when the name ends in .gz."""
    _write(path, instance_document(problem))


def read_plan(path: Path) -> Plan:
    """The starts and stops stored at `path`, without a price. InstanceError says what is wrong."""
    raw = _parse(path, _Plan)
    services = {
        service: {
            flavor: FlavorPlan(tuple(plan.start), tuple(plan.stop), tuple(plan.resized))
            for flavor, plan in flavors.items()
        }
        for service, flavors in raw.services.items()
    }
    return Plan(services, PlanStatus.FEASIBLE, READ)


def write_plan(path: Path, plan: Plan) -> None:
    """Write the starts and stops of `plan` to `path`, gzip'd when the name ends in .gz."""
    _write(path, plan_document(plan))


def instance_document(problem: Problem) -> dict[str, Any]:
    """`problem` as the benchmark's JSON object."""
    return {
        "name": problem.name,
        "step_s": problem.step_s,
        "steps": problem.steps,
        "pools": [_Pool.model_validate(p, from_attributes=True).model_dump() for p in problem.pools],
        "flavors": [_flavor_document(flavor) for flavor in problem.flavors],
        "services": [
            {
                "name": service.name,
                "demand_rps": list(service.demand_rps),
                "shortfall_cost_per_request": service.shortfall_cost_per_request,
                "min_replicas": service.min_replicas,
                "max_replicas": service.max_replicas,
                "flavors": [
                    _Option.model_validate(o, from_attributes=True).model_dump() for o in service.flavors
                ],
                "replicas": [
                    _Replica.model_validate(r, from_attributes=True).model_dump() for r in service.replicas
                ],
                **({"switching_cost": service.switching_cost} if service.switching_cost else {}),
                **({"shortfall_steps": service.shortfall_steps} if service.shortfall_steps else {}),
            }
            for service in problem.services
        ],
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """The starts and stops of `plan` as the benchmark's JSON object."""
    return {
        "services": {
            service: {
                flavor: {
                    "start": list(counts.start),
                    "stop": list(counts.stop),
                    **({"resized": list(counts.resized)} if any(counts.resized) else {}),
                }
                for flavor, counts in flavors.items()
            }
            for service, flavors in plan.services.items()
        }
    }


def _flavor_document(flavor: Flavor) -> dict[str, Any]:
    document = _Flavor.model_validate(flavor, from_attributes=True).model_dump()
    if flavor.family == flavor.name:
        del document["family"]
    return document


def fault_in(problem: Problem) -> str | None:
    """The first thing in `problem` that does not fit together, in one line; None when all does."""
    pools = [pool.name for pool in problem.pools]
    flavors = [flavor.name for flavor in problem.flavors]
    names = {"pools": pools, "flavors": flavors, "services": [s.name for s in problem.services]}
    for what, given in names.items():
        if twice := _twice(given):
            return f"{what}: name {twice!r} occurs twice: rename one"
    for flavor in problem.flavors:
        if flavor.pool not in pools:
            return f"flavor {flavor.name!r}: no such pool {flavor.pool!r}; known: {_listed(pools)}"
    faults = (_fault_in_service(service, problem.steps, flavors) for service in problem.services)
    return next((fault for fault in faults if fault is not None), None)


def _fault_in_service(service: ServiceProblem, steps: int, flavors: list[str]) -> str | None:
    where = f"service {service.name!r}"
    if len(service.demand_rps) != steps:
        return f"{where}: demand_rps has {len(service.demand_rps)} values, need one for each of {steps} steps"
    if any(value < 0 for value in service.demand_rps):
        return f"{where}: demand_rps holds {min(service.demand_rps)}, need values of at least 0"
    if service.max_replicas < service.min_replicas:
        return (
            f"{where}: max_replicas {service.max_replicas} is below min_replicas {service.min_replicas}:"
            " raise the one or lower the other"
        )
    if fault := _fault_in_steps(service.shortfall_steps):
        return f"{where}: shortfall_steps: {fault}"
    usable = [option.flavor for option in service.flavors]
    if twice := _twice(usable):
        return f"{where}: flavor {twice!r} occurs twice: remove one"
    for name in usable:
        if name not in flavors:
            return f"{where}: no such flavor {name!r}; known: {_listed(flavors)}"
    for replica in service.replicas:
        if replica.flavor not in usable:
            return (
                f"{where}: a replica of flavor {replica.flavor!r}, which the service does not list;"
                f" listed: {_listed(usable)}"
            )
    return None


def _fault_in_steps(steps: tuple[tuple[float, float], ...]) -> str | None:
    """What is wrong with a cost of shortfall by share: it must rise, from its plain cost on."""
    factors = [1.0, *(factor for _, factor in steps)]
    if any(before > after for before, after in pairwise(factors)):
        return f"factors {factors[1:]}: need at least 1 each, none below the one before"
    if any(not share > 0 for share, _ in steps) or sum(share for share, _ in steps) > 1 + 1e-9:
        return f"shares {[share for share, _ in steps]}: need values above 0 that sum to at most 1"
    return None


def _twice(names: list[str]) -> str | None:
    return next((name for i, name in enumerate(names) if name in names[:i]), None)


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _parse(path: Path, model: type[_Model]) -> _Model:
    try:
        data = path.read_bytes()
        return model.model_validate_json(gzip.decompress(data) if data[:2] == GZIP_MAGIC else data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InstanceError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise InstanceError(f"{path}: broken gzip: {error}; write the file again") from error
    except OSError as error:
        raise InstanceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _write(path: Path, document: Mapping[str, Any]) -> None:
    data = (json.dumps(document, separators=(",", ":")) + "\n").encode()
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    scratch.replace(path)
