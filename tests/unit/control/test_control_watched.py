"""A composed controller shows its watch what it forecasts and what comes, and keeps what it fitted."""

from pathlib import Path

import numpy as np

from barista.cli.adapters import Adapters
from barista.cli.compose import ControllerSpec, compose
from barista.control.explain import latest_qualities
from barista.forecast.quality import NEXT, SETUP, TOLD, Watch
from barista.forecast.store import StateStore
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.drive import drive
from barista.platforms.simulated.service import SimulatedService
from barista.values.profile import Distribution, ExecutionProfile
from barista.workers import Inline

PROFILE = ExecutionProfile("net", "one", Distribution.constant(0.05), Distribution.constant(25.0))
SETTINGS = {
    "pools": {"p": {"cpu": 4, "memory_gib": 8}},
    "flavors": {"one": {"pool": "p", "cpu": 1, "memory_gib": 1, "cost_per_hour": 0.1}},
    "services": [{"name": "a", "model": "net"}],
    "defaults": {"forecaster": {"name": "ensemble", "options": {"members": ["last-value", "burst"]}}},
    "planner": {"name": "greedy"},
    "control": {"cycle_s": 10, "step_min_s": 10, "step_max_s": 10, "window_s": 10},
}


def test_what_is_forecast_in_half_an_hour_is_judged_logged_and_stored(tmp_path: Path) -> None:
    spec = ControllerSpec(settings=SETTINGS)
    settings = spec.parsed()
    service = settings.resolve(settings.services[0])
    arrivals = np.sort(np.random.default_rng(0).uniform(0, 1800, 1800 * 3))
    simulated = SimulatedService(service, {"one": PROFILE}, arrivals, None, {"one": 1})
    cluster = SimulatedCluster(settings.catalogue(), [simulated], 0.0, seed=0)
    here, watch, store = Inline(), Watch(), StateStore(tmp_path / "fitted")
    adapters = Adapters(cluster, cluster, here, here, here, store)
    controller = compose(spec, [PROFILE], adapters, tmp_path, watch=watch, live=False)
    drive(controller.tick, cluster, 0.0, 1800.0)

    found = {(q.forecaster, q.lead): q for q in watch.qualities()}
    assert {forecaster for forecaster, _ in found} == {TOLD, "last-value", "burst"}
    assert (found[TOLD, NEXT].lead_s, found[TOLD, SETUP].lead_s) == (10, 30)
    assert found[TOLD, NEXT].scores.outcomes > 150
    assert abs(found[TOLD, NEXT].scores.bias_rps) < 0.3
    assert latest_qualities(tmp_path, service.id) == watch.qualities()
    assert [path.name for path in store.directory.iterdir()] == ["default%2Fa.fit"]
