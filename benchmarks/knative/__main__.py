"""Barista on real Knative, in figures.

    python -m benchmarks.knative                    # a ramp, beside the plain KPA on the same arrivals
    python -m benchmarks.knative --services 300     # many services: cycle time, memory, queries, writes
    python -m benchmarks.knative --webhook 200      # admission of pods, so many times a second

Starts the cluster of `tests/cluster` (see its README for what is real there), and ends it.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.knative.many import many
from benchmarks.knative.ramp import ramp
from benchmarks.knative.webhook import admissions
from tests.cluster.cluster import running


def main() -> None:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, default=0, help="how many, scaled to zero")
    parser.add_argument("--webhook", type=float, default=0.0, help="admissions a second")
    parser.add_argument("--peak", type=float, default=20.0, help="of the ramp, in requests a second")
    parser.add_argument("--seed", type=int, default=7, help="of the arrivals")
    given = parser.parse_args()
    with running() as cluster, tempfile.TemporaryDirectory() as directory:
        if given.services:
            print(many(cluster, Path(directory), given.services))
        if given.webhook:
            print(admissions(cluster, given.webhook))
        if not given.services and not given.webhook:
            print(ramp(cluster, Path(directory), given.peak, given.seed))


if __name__ == "__main__":
    main()
