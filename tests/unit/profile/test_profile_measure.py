"""Measuring a real server: what comes out, what an interruption costs, when the times are refused."""

import asyncio
import os
import sys
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from barista.ports.model_server import Command, Launch
from barista.profile import measure
from barista.profile.cells import Cell, Cells
from barista.profile.loops import arrivals_s, closed_loop, open_loop, warm_up
from barista.profile.measure import Effort, Subject, measure_profile
from barista.profile.noise import Machine
from barista.profile.running import MeasureError
from barista.values.flavor import Flavor
from barista.values.profile import ExecutionProfile

SERVER = """
import asyncio, sys
from aiohttp import web
lock = asyncio.Semaphore(int(sys.argv[2]))
async def answer(request):
    if sys.argv[3] == "broken":
        raise web.HTTPInternalServerError(text="no weights")
    async with lock:
        await asyncio.sleep(0.01)
    return web.Response(text="ok")
app = web.Application()
app.router.add_post("/predictions/net", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@dataclass
class Stub:
    """A model server that takes 10 ms for each request, `workers` at once."""

    kind: str = "good"
    started: list[int] = field(default_factory=list)
    name: str = "stub"

    def version(self) -> str:
        return "1"

    def prepare(self, launch: Launch) -> Command:
        self.started.append(launch.workers)
        script = launch.work_dir / "server.py"
        script.write_text(SERVER)
        port = str(launch.inference_port)
        return Command((sys.executable, str(script), port, str(launch.workers), self.kind), {})

    async def is_ready(self, launch: Launch) -> bool:
        try:
            url = f"http://127.0.0.1:{launch.inference_port}/"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 404
        except aiohttp.ClientError:
            return False

    def predict_path(self, model: str) -> str:
        return f"/predictions/{model}"


class Quota:
    """Holds nobody back, and remembers what it was told."""

    def __init__(self) -> None:
        self.limits: list[float] = []

    def add(self, pid: int) -> None: ...

    def limit(self, cpu: float) -> None:
        self.limits.append(cpu)

    def close(self) -> None: ...


HALF, ONE = (Flavor(name, "", cpu, 1.0, 1.0, family="f") for name, cpu in (("half", 0.5), ("one", 1.0)))
QUICK = Effort(requests=40, seconds=0.2, at_least=25, warm_up=3)


def measured(tmp_path: Path, stub: Stub, effort: Effort = QUICK, **given: object) -> list[ExecutionProfile]:
    archive = tmp_path / "net.mar"
    archive.write_bytes(b"weights")
    subject = Subject("net", archive, b"{}", "application/json")
    return measure_profile(stub, subject, [HALF, ONE], Quota, effort, **given)  # type: ignore[arg-type]  # keywords


def test_a_profile_tells_times_bounds_and_how_much_the_server_keeps_up_with(tmp_path: Path) -> None:
    stub = Stub()
    found = measured(tmp_path, stub, replace(QUICK, starts=2, ramp=True), workers=2)
    assert [profile.flavor for profile in found] == ["half", "one"]
    assert stub.started == [2, 2]
    for profile in found:
        assert 0.009 < profile.service_time.quantile(0.5) < 0.08
        assert [n for n, _ in profile.by_concurrency] == [1, 2]
        assert profile.by_concurrency[-1][1] == profile.service_time
        assert len(profile.setup_time.values_s) == 2
        assert profile.memory_gib > 0
        assert 25 <= profile.requests <= 40
        assert profile.intervals[0].level == 0.5
        assert profile.saturation_rps is not None
        assert 20 < profile.saturation_rps < 320


def test_what_was_measured_before_an_interruption_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, asked = Cells(tmp_path / "cells"), []
    whole = measure.closed_loop

    async def counted(server: object, clients: int, *rest: float) -> list[float]:
        asked.append(clients)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return await whole(server, clients, *rest)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(measure, "closed_loop", counted)
    stub = Stub()
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path, stub, replace(QUICK, starts=2), workers=1, cells=cells)
    kept = cells.get("half-1")
    assert kept is not None
    assert len(stub.started) == 2
    first, _ = measured(tmp_path, stub, replace(QUICK, starts=2), workers=1, cells=cells)
    assert len(asked) == 3  # one whole, one torn off, one for the other flavor
    assert first.service_time.values_s[-1] == max(kept.times_s)
    assert len(first.setup_time.values_s) == 3  # that start was needed, and counts too


def test_a_cell_of_another_format_or_of_long_ago_is_measured_again(tmp_path: Path) -> None:
    cells = Cells.beside(tmp_path / "p.yaml", QUICK)
    cells.put("half-1", Cell((0.1, 0.2), Machine(0.0, 1.0, 2), 0.5))
    (path,) = tmp_path.glob("p.*.cells/half-1.json")
    assert cells.get("half-1") == Cell((0.1, 0.2), Machine(0.0, 1.0, 2), 0.5)
    assert Cells.beside(tmp_path / "p.yaml", replace(QUICK, requests=50)).get("half-1") is None
    path.write_text('{"times": 3}')
    assert cells.get("half-1") is None
    cells.put("half-1", Cell((0.1,)))
    os.utime(path, (0, 0))
    assert cells.get("half-1") is None
    cells.clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refuse", [True, False])
def test_noise_is_refused_or_only_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: bool) -> None:
    monkeypatch.setattr(
        measure, "noise_in", lambda times_s, machine: "the medians differ: end what else runs"
    )
    said: list[str] = []
    effort = replace(QUICK, refuse_noise=refuse)
    if refuse:
        with pytest.raises(
            MeasureError, match="model 'net' on flavor 'half': too noisy to trust: the medians"
        ):
            measured(tmp_path, Stub(), effort, progress=said.append)
    else:
        assert len(measured(tmp_path, Stub(), effort, progress=said.append)) == 2
        assert sum("too noisy to trust" in text for text in said) == 2


def test_a_server_that_refuses_the_request_is_told_of_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="the sample request was answered 500: no weights"):
        measured(tmp_path, Stub("broken"))


class Scripted:
    """Answers after the times it is given, then at once."""

    def __init__(self, *times_s: float) -> None:
        self.times_s, self.asked = list(times_s), 0

    async def ask(self) -> float:
        self.asked += 1
        return self.times_s.pop(0) if self.times_s else 0.01


async def test_a_server_is_warm_once_two_batches_take_the_same() -> None:
    server = Scripted(0.9, 0.9, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1)
    assert await warm_up(server, 1, 2) == 4
    assert server.asked == 8


async def test_a_closed_loop_sends_no_more_than_it_may() -> None:
    assert len(await closed_loop(Scripted(), 3, 10.0, 5, 20)) == 20
    assert len(await closed_loop(Scripted(), 1, 0.0, 7, 20)) == 7


async def test_an_open_loop_sends_at_its_rate_whatever_becomes_of_the_requests() -> None:
    ramp = await open_loop(Scripted(), 400, 0.25)
    assert len(ramp.times_s) == 100
    assert ramp.kept_up


@pytest.mark.parametrize("seed", range(5))
def test_arrivals_come_at_their_rate_whatever_the_chance(seed: int) -> None:
    due_s = arrivals_s(20.0, 300, seed)
    assert due_s[-1] == pytest.approx(15.0, rel=0.01)
    gaps_s = [after - before for before, after in pairwise([0.0, *due_s])]
    assert max(gaps_s) > 5 * median(gaps_s)


class OneByOne:
    """Works on one request after the other, 10 ms on each."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def ask(self) -> float:
        async with self.lock:
            await asyncio.sleep(0.01)
        return 0.01


async def test_a_server_that_leaves_ever_more_waiting_does_not_keep_up() -> None:
    ramp = await open_loop(OneByOne(), 300, 0.3)
    assert not ramp.kept_up
    assert ramp.times_s[-1] > 10 * ramp.times_s[0]
