"""Learn: when forecasters are fitted, and on which history. Fitting itself happens in workers.

Refits follow the time of the series (`now_s`), never wall time, so that a replay learns exactly
when production would have. Each service has its own moment within the interval between refits, and only as
many fits are ordered as workers are at hand, the longest due first: a thousand services are spread over the
interval, and after a start they wait for their turn on the lower rungs of the ladder. Services that nobody
asks for anything come last: to ask for weeks in which nothing happened takes as long as for others.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol
from zlib import crc32

import numpy as np

from barista.ports.platform import MetricSource
from barista.values.series import Demand
from barista.values.service import Service, ServiceId

BATCH = 8
"""Services whose history is asked for at once: some have none, and take no worker."""


class FittingHost(Protocol):
    """The part of the forecaster host that learning needs."""

    def learn(self, service: Service, demand: Demand, now_s: float) -> None:
        """Order a fit."""
        ...

    def has_seen(self, service: ServiceId) -> bool:
        """Whether any demand of `service` was ever seen."""
        ...

    def collect(self, now_s: float) -> None:
        """Take in the fits that are finished."""
        ...

    def fits_under_way(self) -> int:
        """How many fits are ordered and not finished."""
        ...


class Learner:
    """Orders a fit of each service every `learn_s` seconds, on its last `history_s` seconds.

    At most `fits_at_once` are under way; what is due beyond that waits.
    """

    def __init__(
        self,
        host: FittingHost,
        metrics: MetricSource,
        learn_s: float,
        history_s: float,
        step_s: float,
        fits_at_once: int = 1,
    ) -> None:
        self._host, self._metrics = host, metrics
        self._learn_s, self._history_s, self._step_s = learn_s, history_s, step_s
        self._fits_at_once = fits_at_once
        self._due_s: dict[ServiceId, float] = {}
        self._in_vain_since_s: dict[ServiceId, float] = {}
        self._unseen = set[ServiceId]()

    def learn(self, services: Sequence[Service], now_s: float) -> None:
        """Collect finished fits, and order those that are due, as far as there is room.

        A young series is learned again each time that it has doubled: its first fit may fail, or know little.
        Once some were asked for of which nothing is known, the rest waits for the next call.
        """
        self._host.collect(now_s)
        for service in services:
            self._due_s.setdefault(service.id, now_s)
        due = deque(sorted((s for s in services if self._is_due(s, now_s)), key=self._turn))
        fruitful = True
        while due and fruitful and self._has_room(now_s):
            batch = [due.popleft() for _ in range(min(BATCH, len(due)))]
            fruitful = self._order(batch, now_s)
        self._host.collect(now_s)

    def _is_due(self, service: Service, now_s: float) -> bool:
        shows_at_last = service.id in self._unseen and self._host.has_seen(service.id)
        return shows_at_last or self._due_s[service.id] <= now_s

    def _turn(self, service: Service) -> tuple[bool, float]:
        return not self._host.has_seen(service.id), self._due_s[service.id]

    def _has_room(self, now_s: float) -> bool:
        if self._host.fits_under_way() >= self._fits_at_once:
            self._host.collect(now_s)
        return self._host.fits_under_way() < self._fits_at_once

    def _order(self, services: Sequence[Service], now_s: float) -> bool:
        """Order fits of `services`; those that there is no room for, or is nothing to learn of, wait.

        Whether anything is known of any of them.
        """
        ids = [service.id for service in services]
        histories = self._metrics.history(ids, now_s - self._history_s, now_s, self._step_s)
        for service in services:
            history = histories.get(service.id)
            known = 0 if history is None else int(np.isfinite(history.values).sum())
            self._unseen.discard(service.id)
            if history is not None and known:
                if not self._has_room(now_s):
                    continue
                self._host.learn(service, history, now_s)
                self._in_vain_since_s.pop(service.id, None)
                age_s = known * self._step_s
            else:
                age_s = now_s - self._in_vain_since_s.setdefault(service.id, now_s)
                if not self._host.has_seen(service.id):
                    self._unseen.add(service.id)
            self._due_s[service.id] = self._next(service.id, age_s, now_s)
        return bool(histories)

    def _next(self, service: ServiceId, age_s: float, now_s: float) -> float:
        """When a service is due again of which `age_s` seconds are known, or were asked for in vain.

        That is at its own moment in the interval, though not before half of one has passed.
        """
        moment_s = crc32(service.encode()) / 2**32 * self._learn_s
        earliest_s = now_s + self._learn_s / 2
        intervals = np.ceil((earliest_s - moment_s) / self._learn_s)
        return float(min(now_s + max(age_s, self._step_s), moment_s + intervals * self._learn_s))
