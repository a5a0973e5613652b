"""What waiting adds where each request goes to the less busy of two replicas, drawn at random.

Among very many replicas theory tells it (Vvedenskaya, Dobrushin & Karpelevich 1996), among a few none does:
there they also fill up together, as one central queue does. So queues were played, request by request, for
counts of replicas and workers, service-time distributions and utilisations, and the table beside this module
holds by how much longer the wait is than in a central queue of as many servers. `python -m
benchmarks.two_choices` makes it.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from barista.values.series import FloatArray

FILE = Path(__file__).with_suffix(".npz")


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """Times added, in mean service times; shape (squared coefficients of variation, rows, chances)."""

    scvs: FloatArray
    times: FloatArray

    def at(self, row: int, scv: float) -> FloatArray:
        """Those at utilisation `row`; above the largest `scv` as at it."""
        upper = int(np.clip(np.searchsorted(self.scvs, scv), 1, len(self.scvs) - 1))
        share = (scv - self.scvs[upper - 1]) / (self.scvs[upper] - self.scvs[upper - 1])
        low, high = self.times[upper - 1, row], self.times[upper, row]
        between: FloatArray = low + min(share, 1.0) * (high - low)
        return between


@lru_cache(maxsize=256)
def added(replicas: int, workers: int, utilisations: tuple[float, ...], exceeded: tuple[float, ...]) -> Added:
    """What `replicas` (at least 2) of `workers` each add to the times exceeded with each probability.

    Between counts it is linear in 1/replicas and in the logarithm of the workers; more workers than tabulated
    add as much less time as they are more.
    """
    table = _table()
    times = _between(table["added"], 1 / table["replicas"], 1 / replicas)
    times = _between(times, np.log(table["workers"]), float(np.log(min(workers, table["workers"][-1]))))
    by_utilisation = np.moveaxis(times, 1, 0)
    odds, asked = (np.log(rho / (1 - rho)) for rho in (table["utilisations"], np.array(utilisations)))
    rows = np.array([_between(by_utilisation, odds, at) for at in asked])
    # Where nobody comes, nobody waits.
    rows[asked < odds[0]] *= (np.array(utilisations) / table["utilisations"][0])[asked < odds[0], None, None]
    by_chance = np.moveaxis(rows, 2, 0)
    chances = -np.log(table["exceeded"])
    columns = np.array([_between(by_chance, chances, -float(np.log(chance))) for chance in exceeded])
    return Added(table["scvs"], columns.T / workers)


@cache
def _table() -> dict[str, FloatArray]:
    with np.load(FILE) as file:
        return {name: file[name].astype(float) for name in file.files}


def _between(values: FloatArray, at: FloatArray, wanted: float) -> FloatArray:
    """`values` by their first axis, which stands `at`, where it is `wanted`: linear, at its ends flat."""
    if at[0] > at[-1]:
        values, at = values[::-1], at[::-1]
    upper = int(np.clip(np.searchsorted(at, wanted), 1, len(at) - 1))
    share = float(np.clip((wanted - at[upper - 1]) / (at[upper] - at[upper - 1]), 0.0, 1.0))
    between: FloatArray = values[upper - 1] + share * (values[upper] - values[upper - 1])
    return between
