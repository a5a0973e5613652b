"""The journal: what a controller on a cluster saw and did last, for its API, its metrics and its log.

Each change goes to the log as a line of JSON. The latest cycle is kept whole, so that it can be
explained, and answered about, while the next one is under way.
"""

import json
import logging
from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from barista.control.cycle import Pass
from barista.control.log import decision_lines
from barista.values.decision import Applied, Decision
from barista.workers import KillingPool, Lanes

log = logging.getLogger(__name__)

SERVICE = ("namespace", "service")


class Journal:
    """Takes in cycles, decisions between them, and what was not applied (Recorder)."""

    def __init__(self) -> None:
        self.latest: Pass | None = None
        self.registry = CollectorRegistry()
        self.leads = Gauge("barista_leader", "1 where this controller acts", registry=self.registry)
        self.services = Gauge(
            "barista_services", "Services, by what becomes of them", ("state",), registry=self.registry
        )
        self._rebuilt = Gauge(
            "barista_worker_pools_rebuilt",
            "How often a pool of workers broke and was made anew",
            ("pool",),
            registry=self.registry,
        )
        self._cycle_s = Histogram(
            "barista_cycle_seconds",
            "Time that a cycle took",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._replicas = Gauge(
            "barista_replicas",
            "Replicas held and planned",
            (*SERVICE, "flavor", "stage"),
            registry=self.registry,
        )
        self._demand = Gauge("barista_demand_rps", "Demand seen", SERVICE, registry=self.registry)
        self._changes = Counter("barista_changes", "Changes decided", SERVICE, registry=self.registry)
        self._failures = Counter(
            "barista_not_applied", "Decisions that could not be applied", SERVICE, registry=self.registry
        )

    def watch_pools(self, **pools: KillingPool | Lanes) -> None:
        """Show from now on how often each of `pools` was made anew."""
        for name, pool in pools.items():
            self._rebuilt.labels(name).set_function(partial(getattr, pool, "rebuilt"))

    def cycle(self, done: Pass, seconds: float) -> None:
        """Take in one cycle, and how long it took."""
        self.latest = done
        self._cycle_s.observe(seconds)
        self._replicas.clear()
        self._demand.clear()
        for view in done.situation.services:
            if view.observation.demand_rps.value is not None:
                self._demand.labels(*view.service.id.split("/")).set(view.observation.demand_rps.value)
        for decision in done.outcome.decisions:
            for stage, counts in (("held", decision.current), ("planned", decision.final)):
                for flavor, count in counts.items():
                    self._replicas.labels(*decision.service.split("/"), flavor, stage).set(count)
        self.decisions(done.outcome.decisions)

    def decisions(self, decisions: Iterable[Decision]) -> None:
        """Take in decisions; each change is logged."""
        for decision in decisions:
            for line in decision_lines(decision):
                self._changes.labels(*decision.service.split("/")).inc()
                log.info("%s", json.dumps(line))

    def not_applied(self, applied: Applied) -> None:
        """Take in what the cluster did not carry out."""
        self._failures.labels(*applied.service.split("/")).inc()
        log.warning("%s: not applied: %s", applied.service, applied.text)
