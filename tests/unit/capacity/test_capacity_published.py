"""The published capacity heuristic."""

from dataclasses import replace

import pytest
from core_world import PROFILES

from barista.capacity.published import PublishedCapacity
from barista.values.profile import Distribution
from barista.values.service import DispatchRule, Slo


@pytest.mark.parametrize(
    ("time_s", "slo_s", "workers", "replicas", "rps"),
    [
        (0.1, 0.5, 1, 1, 10),
        (0.1, 0.5, 1, 3, 30),
        (0.1, 0.5, 2, 1, 20),
        (0.3, 0.5, 1, 1, 2),  # one request of 0.5 s
        (0.25, 0.5, 1, 1, 4),
        (0.5, 0.5, 1, 1, 2),
        (0.501, 0.5, 1, 1, 0),
        (0.1, 0.3, 1, 1, 10),  # 0.3 / 0.1 is a little under 3 in floating point
    ],
)
def test_a_replica_serves_as_many_requests_as_fit_into_the_slo(
    time_s: float, slo_s: float, workers: int, replicas: int, rps: float
) -> None:
    profile = replace(PROFILES["small"], service_time=Distribution.constant(time_s), workers=workers)
    found = PublishedCapacity().rps(profile, Slo(slo_s), DispatchRule.RANDOM, replicas)
    assert found == pytest.approx(rps)


def test_the_service_time_is_taken_at_the_percentile_of_the_slo() -> None:
    profile = replace(PROFILES["small"], service_time=Distribution((0.5, 0.95), (0.1, 0.25), 0.12))
    served = [
        PublishedCapacity().rps(profile, Slo(0.5, level), DispatchRule.RANDOM, 1) for level in (0.5, 0.95)
    ]
    assert served == [10, 4]


def test_a_time_of_nothing_is_a_wrong_measurement() -> None:
    profile = replace(PROFILES["small"], service_time=Distribution.constant(0))
    with pytest.raises(ValueError, match=r"profile of net on small: service time 0.0 s: measure it again"):
        PublishedCapacity().rps(profile, Slo(0.5), DispatchRule.RANDOM, 1)
