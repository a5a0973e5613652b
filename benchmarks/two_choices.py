"""Makes the table of what waiting adds where each request goes to the less busy of two replicas.

    python -m benchmarks.two_choices [--requests N] [--output FILE]

No theory tells it for a few replicas, so queues are played, request by request: for counts of replicas and
workers, service-time distributions and utilisations, once under two choices and once as one central queue, by
the same arrivals and service times. What is exceeded with each probability is longer by what the table holds,
in mean service times divided by the workers. It is written into the package; takes about ten minutes.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

import barista.capacity.two_choices as table
from barista.values.series import FloatArray
from barista.values.service import DispatchRule
from benchmarks.dispatching import waiting_s

REPLICAS = (2, 3, 4, 6, 10, 20, 50)
WORKERS = (1, 2, 4)
SCVS = (0.0, 0.1, 0.35, 1.0)
"""Squared coefficients of variation: fixed, gamma, gamma, exponential service."""
UTILISATIONS = 1 / (1 + np.exp(-np.linspace(-3.0, 4.6, 24)))
EXCEEDED = np.geomspace(1.0, 1e-4, 24)


def main() -> None:
    """Play the queues and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=400_000, help="in each queue")
    parser.add_argument("--output", type=Path, default=table.FILE)
    given = parser.parse_args()
    chance = np.random.default_rng(11)
    gaps = chance.exponential(1.0, given.requests)
    gaps /= gaps.mean()
    luck = (chance.permutation(given.requests) + 0.5) / given.requests
    times = [_drawn(luck, scv) for scv in SCVS]
    added = np.empty((len(REPLICAS), len(WORKERS), len(SCVS), len(UTILISATIONS), len(EXCEEDED)))
    for (r, replicas), (w, workers), law in product(
        enumerate(REPLICAS), enumerate(WORKERS), range(len(SCVS))
    ):
        for u, rho in enumerate(UTILISATIONS):
            arrivals = np.cumsum(gaps) / (rho * replicas * workers)
            shared, parted = (
                waiting_s(arrivals, times[law], rule, replicas, workers)[given.requests // 20 :]
                for rule in (DispatchRule.LEAST_LOADED, DispatchRule.TWO_CHOICES)
            )
            more = np.quantile(parted, 1 - EXCEEDED) - np.quantile(shared, 1 - EXCEEDED)
            added[r, w, law, u] = workers * np.maximum(more, 0.0)
    np.savez_compressed(
        given.output,
        replicas=REPLICAS,
        workers=WORKERS,
        scvs=SCVS,
        utilisations=UTILISATIONS,
        exceeded=EXCEEDED,
        added=added.astype(np.float16),
    )


def _drawn(luck: FloatArray, scv: float) -> FloatArray:
    """Service times of mean 1 at the levels `luck`."""
    from scipy import stats  # type: ignore[import-untyped]  # noqa: PLC0415  # no stubs; heavy

    if scv == 0:
        return np.ones_like(luck)
    times: FloatArray = stats.gamma.ppf(luck, 1 / scv, scale=scv)
    return times


if __name__ == "__main__":
    main()
