"""Adapters: where a controller runs."""

from concurrent.futures import Executor
from dataclasses import dataclass

from barista.forecast.store import StateStore
from barista.ports.platform import MetricSource, Platform


@dataclass(frozen=True, slots=True)
class Adapters:
    """Where the controller runs: what it acts on, what it sees with, and where plug-ins work.

    `states` keeps fitted forecasters over a restart, where there is one. With `one_flavor`, the platform
    holds one flavor a service at a time.
    """

    platform: Platform
    metrics: MetricSource
    fits: Executor
    forecasts: Executor
    plans: Executor
    states: StateStore | None = None
    one_flavor: bool = False
