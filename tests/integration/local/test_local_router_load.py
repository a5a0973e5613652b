"""The open-loop client through the router: a router that dies costs requests, and each is counted."""

import asyncio
import csv
import sys
import time
from pathlib import Path

import numpy as np
from local_router_process import SERVICE, eventually, replicas, running_router

from barista.load.plan import LoadPlan, Stream


async def test_every_request_is_answered_or_counted_failed_when_the_router_is_killed(tmp_path):
    (tmp_path / "body").write_bytes(b"x")
    np.save(tmp_path / "digits.npy", np.arange(100) / 25)
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        await router.list_replicas(one)
        stream = Stream(url=f"{router.url}/{SERVICE}", body=Path("body"), arrivals=Path("digits.npy"))
        plan = LoadPlan(start_s=time.time() + 1, duration_s=4, services={SERVICE: stream})
        plan.write(tmp_path / "plan.json")
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "barista.load.client", str(tmp_path / "plan.json")
        )

        async def some_are_served() -> bool:
            return len(one.seen) >= 20

        await eventually(some_are_served)
        router.process.kill()
        assert await client.wait() == 0
    with (tmp_path / "requests.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    answered = [row for row in rows if row["status"] == "201"]
    assert 20 <= len(answered) <= len(one.seen)
    assert {row["replica"] for row in answered} == {"digits-1"}
    assert {row["status"] for row in rows} == {"201", "0"}
