"""How long a newcomer waits for a backtest of two weeks, asked of a real Prometheus.

    python -m benchmarks.backtest_prometheus [--days 19] [--played 14] [--policies barista,kpa,oracle]

Starts a Prometheus on loopback that was backfilled (promtool) with what queue-proxies count of one service,
the bundled departures times 200 moved to the last days, scraped every 30 s. Then runs the command that an
operator would type, and prints its table, the time it took, and how far what it exported is from what was
filled in. A quarter of the days is only learned from, as the command does unless told otherwise.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np

from barista.load.arrivals import counts_at
from barista.load.departures import departures_by_minute
from barista.platforms.knative.dialect import series_names
from barista.platforms.local.prometheus import DATA, Prometheus, find_prometheus
from barista.values.series import DAY_S, Demand

SERVICE, RATE_FACTOR = "default/model", 200
STEP_S, SCRAPE_S = 300.0, 30.0
WEEK_DAYS = 7
LAST_TRACED = datetime(2013, 6, 17, tzinfo=UTC)


def recorded(days: int) -> Demand:
    """Counted demand on scrapes of the last `days` whole days (UTC), weekdays as they were."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    weeks = (until - LAST_TRACED).days // WEEK_DAYS
    first = until - timedelta(days=days + WEEK_DAYS * weeks)
    by_minute = departures_by_minute(first.date(), days)[: days * 1440]
    minutes = Demand((until - timedelta(days=days)).timestamp(), 60.0, by_minute / 60.0)
    counted = counts_at(minutes, RATE_FACTOR, seed=0).values
    return Demand(minutes.start_s, SCRAPE_S, np.repeat(counted, round(60 / SCRAPE_S)))


def backfill(directory: Path, demand: Demand) -> None:
    """Store `demand` in the Prometheus of `directory` as the counter of a queue-proxy."""
    namespace, name = SERVICE.split("/")
    counter = series_names(None).requests
    counts = np.concatenate(([0.0], np.cumsum(demand.values * demand.step_s)))
    times_s = demand.start_s + np.arange(len(counts)) * demand.step_s
    lines = [f"# TYPE {counter.removesuffix('_count')} histogram\n"]
    labels = f'{{namespace="{namespace}",service="{name}",pod="{name}-1"}}'
    lines += [
        f"{counter}{labels} {count:.0f} {at_s:.0f}\n" for count, at_s in zip(counts, times_s, strict=True)
    ]
    past = directory / "past.om"
    past.write_text("".join((*lines, "# EOF\n")))
    argv = [str(find_prometheus("promtool")), "tsdb", "create-blocks-from", "openmetrics"]
    argv += ["--max-block-duration=336h", str(past), str(directory / DATA)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def serving(demand: Demand) -> Iterator[str]:
    """The URL of a Prometheus that recorded `demand`."""
    with tempfile.TemporaryDirectory() as directory, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        server = Prometheus(Path(directory), port, SCRAPE_S, retention_s=100 * DAY_S)
        server.configure([])
        backfill(server.directory, demand)
        free.close()
        process = subprocess.Popen(server.argv())
        try:
            asyncio.run(server.wait_ready())
            yield server.url
        finally:
            process.terminate()
            process.wait()


def difference(kept: Path, demand: Demand) -> str:
    """How far what was exported into `kept` is from `demand`, in total and in the worst step."""
    exported = np.concatenate([np.load(path) for path in sorted(kept.glob("*.npy"))])
    filled = demand.values.reshape(-1, round(STEP_S / SCRAPE_S)).mean(axis=1)
    seen = np.isfinite(exported)
    total = exported[seen].sum() / filled[seen].sum() - 1
    worst = np.abs(exported - filled)[seen].max()
    return (
        f"{int((~seen).sum())} steps missing; total off by {total:.2%}, the worst step by {worst:.2g} req/s"
    )


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table, the wall time and the difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=19)
    parser.add_argument("--played", type=int, default=14)
    parser.add_argument("--policies", default="barista,kpa,oracle")
    given = parser.parse_args(None if arguments is None else list(arguments))
    begun = time.perf_counter()
    demand = recorded(given.days)
    with serving(demand) as url, tempfile.TemporaryDirectory() as output:
        print(
            f"Prometheus with {given.days} days, ready after {time.perf_counter() - begun:.0f} s", flush=True
        )
        start = datetime.fromtimestamp(demand.end_s, UTC) - timedelta(days=given.played)
        asked = ["--prometheus", url, "--service", SERVICE, "--days", str(given.days)]
        asked += ["--from", f"{start:%F}", "--policies", given.policies, "--output", output]
        begun, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "barista", "backtest", *asked], check=True)
        wall_s, after = time.perf_counter() - begun, getrusage(RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"barista backtest {' '.join(asked[:-2])}")
        cores = os.cpu_count()
        print(f"{given.played} days played in {wall_s:.0f} s, {cpu_s:.0f} s of cpu on {cores} cores")
        print(difference(Path(output, "history", SERVICE.replace("/", "-")), demand))


if __name__ == "__main__":
    main()
