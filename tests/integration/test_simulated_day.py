"""The cycle of production, in virtual time: a day of departures under the whole controller."""

import pytest

from benchmarks.simulated_day import digest, play


@pytest.fixture(scope="module")
def day():
    return play("barista", "seasonal-naive", seed=7)


def test_a_day_of_two_services_keeps_the_slo_and_scales(day):
    assert day.requests > 1_000_000
    for service in day.services.values():
        assert service.slo_violation_ratio < 0.05
        # By another replica, or in place.
        assert service.cold_starts > 0 or len(service.replica_seconds) > 1


def test_the_same_seed_gives_the_same_day_to_the_last_digit(day):
    assert digest(play("barista", "seasonal-naive", seed=7)) == digest(day)


def test_another_seed_gives_another_day(day):
    assert digest(play("barista", "seasonal-naive", seed=8)) != digest(day)
