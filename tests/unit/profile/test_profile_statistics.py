"""Beyond the quantiles: how sure a percentile is, which family fits, whether the machine was noisy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.profile.fit import best_fit
from barista.profile.intervals import intervals
from barista.profile.noise import Machine, Watch, noise_in
from barista.values.profile import Distribution

CALM = Machine()
CHANCE = np.random.default_rng(4)


def test_the_bounds_of_a_percentile_hold_nineteen_times_in_twenty() -> None:
    chance, truth = np.random.default_rng(0), -math.log(0.1)
    found = [intervals(chance.exponential(1.0, 150).tolist(), [0.9])[0] for _ in range(600)]
    held = np.mean([one.low_s <= truth <= one.high_s for one in found])
    assert 0.94 <= held <= 0.99


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=300))
@settings(max_examples=50, deadline=None)
def test_bounds_lie_around_the_quantile(times_s: list[float]) -> None:
    for one in intervals(times_s):
        assert one.low_s <= Distribution.of(times_s).quantile(one.level) <= one.high_s


@pytest.mark.parametrize(("samples", "levels"), [(0, []), (5, []), (30, [0.5]), (100, [0.5, 0.9, 0.95])])
def test_a_percentile_that_the_samples_are_too_few_for_has_no_bounds(
    samples: int, levels: list[float]
) -> None:
    times_s = CHANCE.uniform(1, 2, samples).tolist()
    found = [one.level for one in intervals(times_s)]
    assert found[: len(levels)] == levels or set(levels) <= set(found)
    assert 0.99 not in found


@pytest.mark.parametrize(
    ("family", "times_s"),
    [
        ("log-normal", np.exp(0.8 * CHANCE.standard_normal(1500) - 2)),
        ("shifted log-normal", 0.5 + np.exp(0.7 * CHANCE.standard_normal(1500) - 2)),
        ("gamma", CHANCE.gamma(1.6, 0.1, 1500)),
        ("weibull", 0.1 * CHANCE.weibull(5.0, 1500)),
        ("fixed", 0.08 + 1e-5 * CHANCE.standard_normal(300)),
    ],
)
def test_the_family_that_times_were_drawn_from_is_found(family: str, times_s: "np.ndarray") -> None:
    fit = best_fit(times_s.tolist())
    assert fit is not None
    assert fit.family == family
    if family != "fixed":
        assert fit.ks < 0.04
        assert fit.ad < 2.5


def test_parameters_come_with_the_family() -> None:
    fit = best_fit(np.exp(0.8 * np.random.default_rng(1).standard_normal(1500) - 2).tolist())
    assert fit is not None
    assert dict(fit.parameters) == {"mu": pytest.approx(-2, abs=0.1), "sigma": pytest.approx(0.8, abs=0.1)}


def test_times_that_no_family_fits_say_so_by_their_distance() -> None:
    two = np.concatenate([CHANCE.normal(0.1, 0.002, 500), CHANCE.normal(0.3, 0.002, 500)])
    fit = best_fit(two.tolist())
    assert fit is not None
    assert fit.ks > 0.2


@pytest.mark.parametrize("times_s", [[], [0.1] * 10, [0.0] * 50])
def test_too_few_or_impossible_times_have_no_family(times_s: list[float]) -> None:
    assert best_fit(times_s) is None


@pytest.mark.parametrize("cv", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("requests", [30, 200])
def test_times_that_repeat_themselves_are_trusted(cv: float, requests: int) -> None:
    sigma = math.sqrt(math.log1p(cv**2))
    trusted = sum(
        noise_in((0.1 * np.exp(sigma * np.random.default_rng(s).standard_normal(requests))).tolist(), CALM)
        is None
        for s in range(40)
    )
    assert trusted >= 38


def test_a_disturbed_measurement_says_what_was_seen_and_what_to_do() -> None:
    times_s = [0.08] * 100 + [0.12] * 100
    assert noise_in(times_s, Machine(0.0, 3.2, 2)) == (
        "the medians of 4 windows differ by 50% (80.0 to 120.0 ms); the load average was 3.2 on 2 cores:"
        " end what else runs here, or measure on a quieter machine"
    )
    assert "the host took 12% of the cpu" in (noise_in([0.1] * 100, Machine(0.12, 0.5, 2)) or "")


def test_a_busy_machine_alone_does_not_condemn_times_that_repeat() -> None:
    assert noise_in([0.1] * 100, Machine(0.0, 9.0, 2)) is None


def test_the_machine_is_watched() -> None:
    seen = Watch().seen()
    assert 0 <= seen.stolen <= 1
    assert seen.cores >= 1
