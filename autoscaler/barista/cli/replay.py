"""Replay: one service's recorded demand played again under a policy, in virtual time.

A case is what all policies share: the demand, how long a request and a set-up take, the objective. The
seed decides when within its step each request comes, how long it takes, and how long set-ups take; how many
come in each step is as it was counted.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barista.cli import oracle
from barista.cli.compose import OURS, ControllerSpec, rules_for, watched
from barista.cli.tape import Tape, record
from barista.cli.virtual import play_virtually, simulated_services
from barista.load.arrivals import counted_arrivals
from barista.plan.pose import Horizon
from barista.ports.capacity import CapacityModel
from barista.report.backtest import Figures
from barista.values.profile import ExecutionProfile
from barista.values.series import DAY_S, Calendar, Demand, FloatArray
from barista.values.service import DispatchRule, Service, ServiceId

ORACLE = oracle.NAME
LEVELS = (0.5, 0.75, 0.9, 0.99)
"""Quantiles that the tape holds besides those shown: what is bought lies between two of them."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A service's `demand` (counted, as rates) of which ``[start_s, end_s)`` is played.

    `profile` is its behaviour on its flavor, whose replica costs `cost_per_hour`. Cycles come every `cycle_s`
    seconds, a whole number of the trace's steps.
    """

    service: ServiceId
    demand: Demand
    start_s: float
    end_s: float
    profile: ExecutionProfile
    slo_s: float
    percentile: float
    cost_per_hour: float = 1.0
    max_replicas: int = 50
    queue_limit: int | None = None
    forecaster: str = "ensemble"
    calendar: Calendar = field(default_factory=Calendar)

    @property
    def cycle_s(self) -> float:
        """From one cycle to the next: the trace's step, a minute at least."""
        return float(np.ceil(oracle.SHORTEST_STEP_S / self.demand.step_s - 1e-9)) * self.demand.step_s

    @property
    def past(self) -> Demand:
        """What was counted before the replay."""
        return self.demand.until(self.start_s)

    @property
    def played(self) -> Demand:
        """What is counted during it."""
        before = len(self.past)
        until = self.demand.until(self.end_s)
        return Demand(self.past.end_s, self.demand.step_s, until.values[before:])

    def settings(self, service: Mapping[str, Any], control: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration, with settings of the `service` and of `control` on top."""
        flavor, cycle_s = self.profile.flavor, self.cycle_s
        room = float(self.max_replicas)
        namespace, name = self.service.split("/")
        return {
            "pools": {"nodes": {"cpu": room, "memory_gib": room}},
            "flavors": {
                flavor: {
                    "pool": "nodes",
                    "cpu": 1,
                    "memory_gib": 1,
                    "cost_per_hour": self.cost_per_hour,
                }
            },
            "defaults": {
                "authority": "pin",
                "max_replicas": self.max_replicas,
                "concurrency": self.profile.workers,
                "latency_slo_ms": self.slo_s * 1000,
                "latency_percentile": self.percentile * 100,
                "forecaster": {"name": self.forecaster},
                **service,
            },
            "services": [{"name": name, "namespace": namespace, "model": self.profile.model}],
            "control": {
                "cycle_s": cycle_s,
                "step_min_s": cycle_s,
                "step_max_s": cycle_s,
                "learn_s": DAY_S,
                **control,
            },
        }

    def spec(
        self, policy: str = OURS, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> ControllerSpec:
        """The controller of `policy`; the `options` of Barista itself are settings of the service."""
        ours = policy in (OURS, ORACLE)
        given = dict(options or {})
        control = oracle.control(self.cycle_s) if policy == ORACLE else {}
        return ControllerSpec(
            settings=self.settings(given if ours else {}, control),
            policy=OURS if ours else policy,
            policy_options={} if ours else given,
            calendar=self.calendar,
            seed=seed,
        )

    def horizon(self, policy: str = OURS) -> Horizon:
        """The planning grid of `policy`."""
        settings = self.spec(policy).parsed()
        return rules_for(settings, watched(settings, [self.profile])).horizon

    def fingerprint(self) -> str:
        """A name for what its tape hangs on."""
        found = hashlib.sha256(self.spec().model_dump_json().encode())
        found.update(repr((self.demand.start_s, self.start_s, self.end_s, LEVELS, self.horizon())).encode())
        found.update(self.demand.values.tobytes())
        return found.hexdigest()[:16]


def taped(case: Case, progress: Callable[[float], None] | None = None) -> Tape:
    """What the forecaster of `case` says over its replay."""
    spec = case.spec()
    services = simulated_services(
        spec.parsed(),
        [case.profile],
        {case.service: counted_arrivals(case.played, spec.seed)},
        {case.service: case.past},
        {},
    )
    return record(spec, [case.profile], services, (case.start_s, case.end_s), LEVELS, progress)


def oracle_tape(case: Case) -> Tape:
    """What one would say who knows how many requests come in each step of the trace."""
    return oracle.tape({case.service: case.played}, case.horizon(ORACLE))


def play(case: Case, policy: str, options: Mapping[str, Any], seed: int, tape: Tape | None) -> Figures:
    """What comes of `case` under `policy` with `options`; `tape` is what it foresees."""
    spec = case.spec(policy, options, seed)
    run = play_virtually(
        spec,
        [case.profile],
        {case.service: counted_arrivals(case.played, seed)},
        {case.service: case.past},
        {case.service: {case.profile.flavor: _first(case)}},
        (case.start_s, case.end_s),
        given=tape.foresight() if tape is not None else None,
        queue_limit=case.queue_limit,
    )
    part = run.services[case.service]
    edges_s = np.append(case.played.times_s(), case.end_s)
    held = _held(part.paid, edges_s)
    wasted = np.maximum(0.0, held - needed(case, case.played))
    hours = (case.end_s - case.start_s) / HOUR_S
    return Figures(
        slo_violation_ratio=part.slo_violation_ratio or 0.0,
        p95_ms=1000 * (part.p95_s or 0.0),
        p99_ms=1000 * (part.p99_s or 0.0),
        cost=part.cost,
        over_provision_cost=float(wasted.sum()) * case.demand.step_s / HOUR_S * case.cost_per_hour,
        cold_starts=part.cold_starts,
        changes_per_hour=part.changes / hours,
        requests=part.requests,
        refused=part.refused,
        held=held,
    )


def needed(case: Case, demand: Demand) -> FloatArray:
    """The fewest replicas that serve `demand` in each step within the objective, one at least."""
    spec = case.spec().parsed()
    service = spec.resolve(spec.services[0])
    capacity = rules_for(spec, watched(spec, [case.profile])).capacity
    rates = np.nan_to_num(demand.values)
    able = _able(capacity, case, service, float(rates.max(initial=0.0)))
    return 1.0 + np.searchsorted(able, rates - 1e-9, side="left")


def _able(capacity: CapacityModel, case: Case, service: Service, most_rps: float) -> FloatArray:
    """Requests/s that 1, 2 … replicas serve, until `most_rps` or all replicas are reached."""
    able: list[float] = []
    while len(able) < case.max_replicas and (not able or able[-1] < most_rps):
        able.append(capacity.rps(case.profile, service.slo, DispatchRule.LEAST_LOADED, len(able) + 1))
    return np.array(able)


def _first(case: Case) -> int:
    """Replicas at the start: as many as the first step needs."""
    return int(min(needed(case, case.played)[0], case.max_replicas))


def _held(paid: Sequence[Any], edges_s: FloatArray) -> FloatArray:
    """Replicas paid for, on average, between each two of `edges_s`."""
    seconds = np.zeros(len(edges_s))
    for span in paid:
        seconds += np.clip(edges_s, span.from_s, span.until_s) - span.from_s
    return np.asarray(np.diff(seconds) / np.diff(edges_s))
