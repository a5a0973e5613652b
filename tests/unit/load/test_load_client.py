"""The open-loop client as a process, against a small server that answers when the test says so."""

import asyncio
import csv
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from barista.load.client import COLUMNS
from barista.load.plan import LoadPlan, Stream
from barista.report.recording import COLUMNS as COLUMNS_OF_A_RECORDING

SERVICE = "default/digits"


@dataclass
class Server:
    """Answers 200 once `gate` is open, and keeps what it was sent and when."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[tuple[float, bytes, str]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((time.time(), await request.read(), request.content_type))
        await self.gate.wait()
        return web.Response(headers={"X-Barista-Replica": "digits-1"})


@asynccontextmanager
async def serving():
    server = Server()
    server.gate.set()
    app = web.Application()
    app.router.add_post("/default/digits", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/default/digits"
    try:
        yield server
    finally:
        await runner.cleanup()


async def start(directory: Path, url: str, times_s: list[float], **plan: float):
    (directory / "body.json").write_bytes(b"[1, 2]")
    np.save(directory / "digits.npy", np.array(times_s))
    stream = Stream(
        url=url, body=Path("body.json"), arrivals=Path("digits.npy"), content_type="application/json"
    )
    made = {"start_s": time.time() + 1, "duration_s": 60, **plan}
    written = LoadPlan(services={SERVICE: stream}, **made)
    written.write(directory / "plan.json")
    argv = [sys.executable, "-m", "barista.load.client", str(directory / "plan.json")]
    return await asyncio.create_subprocess_exec(*argv), written


def recorded(directory: Path) -> list[dict[str, str]]:
    with (directory / "requests.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_it_records_is_what_a_report_reads():
    assert COLUMNS == COLUMNS_OF_A_RECORDING


async def test_every_request_is_sent_at_its_time_and_recorded(tmp_path):
    times_s = [0.0, 0.1, 0.1, 0.3, 0.8]
    async with serving() as server:
        process, plan = await start(tmp_path, server.url, times_s)
        assert await process.wait() == 0
    rows = recorded(tmp_path)
    due_s = [plan.start_s + after_s for after_s in times_s]
    np.testing.assert_allclose(sorted(float(row["arrived_s"]) for row in rows), due_s, atol=1e-6)
    assert all(at_s >= due - 0.01 for (at_s, _, _), due in zip(server.seen, due_s, strict=True)), "none early"
    assert {row["status"] for row in rows} == {"200"}
    assert {(row["service"], row["replica"]) for row in rows} == {(SERVICE, "digits-1")}
    assert {(body, kind) for _, body, kind in server.seen} == {(b"[1, 2]", "application/json")}


async def test_it_does_not_wait_for_earlier_answers_and_latency_counts_from_the_schedule(tmp_path):
    async with serving() as server:
        server.gate.clear()
        process, _ = await start(tmp_path, server.url, [i / 100 for i in range(50)])
        async with asyncio.timeout(20):
            while len(server.seen) < 50:  # all are sent, none is answered
                await asyncio.sleep(0.02)
        opened_s = time.time()
        server.gate.set()
        assert await process.wait() == 0
    for row in recorded(tmp_path):
        assert float(row["latency_s"]) >= opened_s - float(row["arrived_s"]) - 0.01


async def test_a_client_that_starts_late_sends_at_once_and_counts_the_delay_as_latency(tmp_path):
    async with serving() as server:
        process, _ = await start(tmp_path, server.url, [0.0, 1.0], start_s=time.time() - 5)
        assert await process.wait() == 0
    assert [float(row["latency_s"]) > 3.9 for row in recorded(tmp_path)] == [True, True]


async def test_only_arrivals_within_the_duration_are_sent(tmp_path):
    async with serving() as server:
        process, _ = await start(tmp_path, server.url, [0.0, 0.1, 0.2, 7.0], duration_s=0.2)
        assert await process.wait() == 0
    assert len(recorded(tmp_path)) == 2


async def test_requests_that_nobody_answers_are_counted_failed(tmp_path):
    async with serving() as server:
        gone = server.url
    process, _ = await start(tmp_path, gone, [0.0, 0.1])
    assert await process.wait() == 0
    assert [(row["status"], row["latency_s"], row["replica"]) for row in recorded(tmp_path)] == [
        ("0", "", "")
    ] * 2


async def test_a_request_without_an_answer_in_time_is_counted_failed(tmp_path):
    async with serving() as server:
        server.gate.clear()
        process, _ = await start(tmp_path, server.url, [0.0, 0.1], timeout_s=0.5)
        assert await process.wait() == 0
    assert [row["status"] for row in recorded(tmp_path)] == ["0", "0"]


async def test_sigterm_ends_the_sending_and_records_what_was_outstanding(tmp_path):
    async with serving() as server:
        server.gate.clear()
        process, _ = await start(tmp_path, server.url, [0.0, 0.1, 50.0])
        async with asyncio.timeout(20):
            while len(server.seen) < 2:
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        server.gate.set()
        assert await process.wait() == 0
    assert [row["status"] for row in recorded(tmp_path)] == ["200", "200"]


async def test_a_killed_client_has_written_all_but_its_last_moment(tmp_path):
    async with serving() as server:
        process, _ = await start(tmp_path, server.url, [0.0, 0.1, 50.0])
        async with asyncio.timeout(20):
            while len(recorded(tmp_path) if (tmp_path / "requests.csv").exists() else ()) < 2:
                await asyncio.sleep(0.1)
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "start_s"), ('{"start_s": 1, "duration_s": 0, "services": {}}', "duration_s")]
)
async def test_a_wrong_plan_is_named(tmp_path, text, said):
    (tmp_path / "plan.json").write_text(text)
    argv = [sys.executable, "-m", "barista.load.client", str(tmp_path / "plan.json")]
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert f"load plan {tmp_path / 'plan.json'}" in stderr.decode()
    assert said in stderr.decode()
