"""Learn: when forecasters are fitted, and on which history. Fitting itself happens in workers.

Refits follow the time of the series (`now_s`), never wall time, so that a replay learns exactly
when production would have.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from barista.ports.platform import MetricSource
from barista.values.series import Demand
from barista.values.service import Service, ServiceId


class FittingHost(Protocol):
    """The part of the forecaster host that learning needs."""

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:
        """Order a fit."""
        ...

    def collect(self, now_s: float) -> None:
        """Take in the fits that are finished."""
        ...


class Learner:
    """Orders a fit of each service every `learn_s` seconds, on its last `history_s` seconds."""

    def __init__(
        self, host: FittingHost, metrics: MetricSource, learn_s: float, history_s: float, step_s: float
    ) -> None:
        self._host, self._metrics = host, metrics
        self._learn_s, self._history_s, self._step_s = learn_s, history_s, step_s
        self._due_s: dict[ServiceId, float] = {}

    def learn(self, services: Sequence[Service], now_s: float) -> None:
        """Collect finished fits, and order those that are due.

        A young series is learned again each time that it has doubled: its first fit may fail, or know little.
        """
        self._host.collect(now_s)
        due = [service for service in services if self._due_s.get(service.id, now_s) <= now_s]
        if not due:
            return
        ids = [service.id for service in due]
        histories = self._metrics.history(ids, now_s - self._history_s, now_s, self._step_s)
        for service in due:
            history = histories.get(service.id)
            known = 0 if history is None else int(np.isfinite(history.values).sum())
            self._due_s[service.id] = now_s + min(self._learn_s, max(1, known) * self._step_s)
            if history is not None and known:
                self._host.learn(service, history, now_s)
        self._host.collect(now_s)
