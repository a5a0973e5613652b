"""A server under a cpu quota serves what its profile says, though its times are not independent."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from core_world import PROFILES

from barista.capacity.make import capacity_model
from barista.profile.loops import arrivals_s
from barista.profile.pauses import ahead_s, dispersion
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.service import DispatchRule, Slo


class Throttled:
    """One worker that may use the cpu for a `quota` of each period (s), then stands still until the next."""

    def __init__(self, quota: float, period_s: float) -> None:
        self.quota_s, self.period_s = quota * period_s, period_s
        self.period, self.used_s, self.free_s = -1, 0.0, 0.0

    def end_s(self, due_s: float, cpu_s: float) -> float:
        """When a request is answered that takes so much cpu."""
        now_s = max(due_s, self.free_s)
        while True:
            period = math.floor(now_s / self.period_s + 1e-6)
            if period != self.period:
                self.period, self.used_s = period, 0.0
            step_s = min(cpu_s, self.quota_s - self.used_s)
            self.used_s, cpu_s, now_s = self.used_s + step_s, cpu_s - step_s, now_s + step_s
            if cpu_s <= 1e-9:
                self.free_s = now_s
                return now_s
            now_s = (period + 1) * self.period_s


def stays_s(servers: list[Throttled], due_s: Iterable[float], cpu_s: float) -> list[float]:
    return [min(servers, key=lambda server: server.free_s).end_s(due, cpu_s) - due for due in due_s]


def profiled(quota: float, period_s: float, cpu_s: float) -> ExecutionProfile:
    """What measuring a throttled server gives."""
    alone, now_s, times_s = Throttled(quota, period_s), 0.0, []
    for _ in range(400):
        end_s = alone.end_s(now_s, cpu_s)
        times_s.append(end_s - now_s)
        now_s = end_s
    times, together = Distribution.of(times_s), dispersion(times_s)
    due_s = arrivals_s(0.7 / times.mean_s, 400)
    stayed_s = stays_s([Throttled(quota, period_s)], due_s, cpu_s)
    return replace(
        PROFILES["small"],
        service_time=times,
        dispersion=together,
        ahead_s=ahead_s(due_s, stayed_s, times.evened(together), 1),
    )


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize(("quota", "cpu_s"), [(0.5, 0.0035), (0.25, 0.0034), (0.5, 0.08)])
def test_replicas_under_a_quota_serve_what_is_predicted(replicas: int, quota: float, cpu_s: float) -> None:
    profile = profiled(quota, 0.02, cpu_s)
    slo = Slo(4 * profile.service_time.mean_s, 0.95)
    predicted = capacity_model("mgc").rps(profile, slo, DispatchRule.LEAST_LOADED, replicas)
    late = [
        np.mean(
            np.array(
                stays_s(
                    [Throttled(quota, 0.02) for _ in range(replicas)],
                    arrivals_s(share * predicted, 12_000),
                    cpu_s,
                )
            )
            > slo.latency_s
        )
        for share in (0.95, 1.07)
    ]
    assert late[0] < 0.05 < late[1]


def test_independent_times_are_taken_as_they_are() -> None:
    times_s = np.random.default_rng(1).gamma(4.0, 0.01, 400).tolist()
    assert dispersion(times_s) == 1
    times = Distribution.of(times_s)
    assert times.evened(1) is times
    due_s = arrivals_s(0.7 / times.mean_s, 400)
    end_s, stayed_s = 0.0, []
    for due, time_s in zip(due_s, np.random.default_rng(2).permutation(times_s).tolist(), strict=True):
        end_s = max(due, end_s) + time_s
        stayed_s.append(end_s - due)
    assert abs(ahead_s(due_s, stayed_s, times, 1)) < 0.3 * times.mean_s


def test_times_that_a_quota_cuts_even_out() -> None:
    profile = profiled(0.5, 0.02, 0.0035)
    assert profile.dispersion < 0.1
    assert 0 < profile.ahead_s < 0.02
    evened = profile.service_time.evened(profile.dispersion)
    assert evened.mean_s == pytest.approx(profile.service_time.mean_s)
    assert evened.quantile(0.95) < profile.service_time.quantile(0.95)
