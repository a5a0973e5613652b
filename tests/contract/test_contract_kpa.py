"""Our KPA decides as Knative's own Go code does."""

import shutil

import pytest

from benchmarks.kpa_differential import barista, draw, knatives


@pytest.mark.skipif(
    shutil.which("go") is None, reason="go is not on PATH: Knative's autoscaler is built from source"
)
def test_the_kpa_decides_as_knatives_own_does_at_every_look():
    scenarios = draw(40, 60, seed=7)
    assert [barista(scenario) for scenario in scenarios] == knatives(scenarios)
