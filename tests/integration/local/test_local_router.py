"""The router as a process, over real HTTP, with replicas that wait, drain and crash."""

import asyncio
import gzip
import signal
import subprocess
import sys

import pytest
from local_router_process import SERVICE, eventually, replicas, running_router


async def test_body_content_type_headers_and_status_pass_through_unchanged(tmp_path):
    packed = gzip.compress(b"[1, 2, 3]" * 1000)
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        await router.list_replicas(one)
        status, body, headers = await router.ask(
            packed, **{"Content-Type": "application/x-numbers", "Content-Encoding": "gzip"}
        )
    assert one.seen == [b"[1, 2, 3]" * 1000]  # the replica's own server unpacks, the router does not
    assert (status, body) == (201, b"[1, 2, 3]" * 1000)
    assert headers["Content-Type"] == "application/x-numbers"
    assert (headers["X-Model"], headers["X-Barista-Replica"]) == ("digits-1", "digits-1")


async def test_a_body_of_several_megabytes_passes(tmp_path):
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        await router.list_replicas(one)
        image = b"p" * 5_000_000
        assert (await router.ask(image))[1] == image


async def test_an_unknown_service_is_answered_with_the_known_ones(tmp_path):
    async with running_router(tmp_path) as router:
        status, body, _ = await router.ask(service="default/taxi")
    assert (status, body) == (404, b"service default/taxi: not known here; known: default/digits\n")


async def test_without_any_replica_requests_wait_for_one(tmp_path):
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        asked = asyncio.create_task(router.ask())

        async def waits() -> bool:
            return await router.metric('barista_router_in_flight{service="default/digits"}') == 1

        await eventually(waits)
        await router.list_replicas(one)
        assert (await asked)[0] == 201


async def test_a_full_queue_answers_503_and_a_wait_too_long_504(tmp_path):
    async with running_router(tmp_path, queue_limit=2, timeout_s=1) as router, replicas("digits-1"):
        answers = await asyncio.gather(*(router.ask() for _ in range(3)))
    statuses = sorted(status for status, _, _ in answers)
    assert statuses == [503, 504, 504]
    assert next(headers for status, _, headers in answers if status == 503)["Retry-After"] == "1"


async def test_a_slow_replica_is_given_up_after_the_timeout_and_its_slot_is_free_again(tmp_path):
    async with running_router(tmp_path, timeout_s=0.5) as router, replicas("digits-1", ready=False) as (one,):
        await router.list_replicas(one)
        assert (await router.ask())[0] == 504
        one.gate.set()
        assert (await router.ask())[0] == 201


async def test_a_replica_taken_out_of_the_table_finishes_what_it_holds_and_gets_nothing_new(tmp_path):
    async with running_router(tmp_path) as router, replicas("digits-1", "digits-2") as (old, new):
        old.gate.clear()
        await router.list_replicas(old)
        held = asyncio.create_task(router.ask(b"held"))

        async def old_is_busy() -> bool:
            return (await router.in_flight()).get("digits-1") == 1

        await eventually(old_is_busy)
        await router.list_replicas(new)
        assert await router.in_flight() == {"digits-1": 1, "digits-2": 0}
        later = await asyncio.gather(*(router.ask(b"later") for _ in range(5)))
        assert {headers["X-Barista-Replica"] for _, _, headers in later} == {"digits-2"}
        old.gate.set()
        assert (await held)[1] == b"held"
        assert await router.in_flight() == {"digits-2": 0}


@pytest.mark.parametrize("dies", ["before answering", "within its answer"])
async def test_a_replica_that_crashes_loses_no_request(tmp_path, dies):
    async with running_router(tmp_path) as router, replicas("digits-1", "digits-2") as (bad, good):
        bad.dies = dies
        await router.list_replicas(bad, good)
        answers = await asyncio.gather(*(router.ask() for _ in range(20)))
    assert {(status, headers["X-Barista-Replica"]) for status, _, headers in answers} == {(201, "digits-2")}
    assert len(bad.seen) == 1  # it is left out after its first failure


async def test_a_replica_that_is_gone_is_passed_over_and_tried_again_once_listed_later(tmp_path):
    async with running_router(tmp_path) as router, replicas("digits-1", "digits-2") as (gone, good):
        live_port, gone.port = gone.port, 9  # nobody listens on the discard port
        await router.list_replicas(gone, good)
        assert {(await router.ask())[2]["X-Barista-Replica"] for _ in range(4)} == {"digits-2"}
        gone.port = live_port

        async def back() -> bool:
            await router.list_replicas(gone, good)
            return (await router.ask())[2]["X-Barista-Replica"] == "digits-1"

        await eventually(back)


async def test_a_request_that_ends_three_replicas_is_not_tried_on_a_fourth(tmp_path):
    names = ("digits-1", "digits-2", "digits-3", "digits-4")
    async with running_router(tmp_path) as router, replicas(*names) as all_of_them:
        for replica in all_of_them:
            replica.dies = "before answering"
        await router.list_replicas(*all_of_them)
        assert (await router.ask())[0] == 502
    assert sum(len(replica.seen) for replica in all_of_them) == 3


async def test_metrics_count_every_request_offered_and_how_it_ended(tmp_path):
    label = f'{{service="{SERVICE}"}}'
    async with running_router(tmp_path, queue_limit=0) as router, replicas("digits-1") as (one,):
        assert await router.metric(f"barista_router_arrivals_total{label}") == 0
        assert await router.metric(f"barista_router_request_duration_seconds_count{label}") == 0
        assert (await router.ask())[0] == 503
        await router.list_replicas(one)
        assert (await router.ask())[0] == 201
        assert await router.metric(f"barista_router_arrivals_total{label}") == 2
        for code in (201, 503):
            ended = f'barista_router_requests_total{{code="{code}",service="{SERVICE}"}}'
            assert await router.metric(ended) == 1
        assert await router.metric(f"barista_router_request_duration_seconds_count{label}") == 2
        assert await router.metric(f"barista_router_replica_duration_seconds_count{label}") == 1
        assert await router.metric(f"barista_router_in_flight{label}") == 0
        assert await router.metric(f"barista_router_in_service{label}") == 0
        assert await router.metric(f"barista_router_replicas{label}") == 1
        assert "_created" not in await router.admin("/metrics")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('{"default/taxi": []}', "service default/taxi: not known here; known: default/digits"),
        ('{"default/digits": [{"id": "a", "url": "http://h", "slots": 0}]}', "slots 0: need at least 1"),
        ("{", "Invalid JSON"),
    ],
)
async def test_a_wrong_table_is_refused_whole(tmp_path, table, said):
    async with running_router(tmp_path) as router, replicas("digits-1") as (one,):
        await router.list_replicas(one)
        async with router.session.put(f"{router.admin_url}/replicas", data=table) as answer:
            assert answer.status == 400
            assert said in await answer.text()
        assert await router.in_flight() == {"digits-1": 0}


async def test_sigterm_finishes_what_is_in_flight_and_accepts_nothing_new(tmp_path):
    async with running_router(tmp_path) as router, replicas("digits-1", ready=False) as (one,):
        await router.list_replicas(one)
        asked = asyncio.create_task(router.ask(b"last"))

        async def busy() -> bool:
            return (await router.in_flight()) == {"digits-1": 1}

        await eventually(busy)
        router.process.send_signal(signal.SIGTERM)

        async def refuses() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(router.url.rsplit(":", 1)[1]))
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                return False  # caught in the very moment of its closing
            writer.close()
            return False

        await eventually(refuses)
        assert await router.in_flight() == {"digits-1": 1}
        one.gate.set()
        assert (await asked)[1] == b"last"
        assert await router.process.wait() == 0


async def test_a_wrong_configuration_is_named_at_the_start(tmp_path):
    path = tmp_path / "router.json"
    path.write_text('{"port": 1, "admin_port": 2, "services": {"default/digits": {"queue": 3}}}')
    argv = [sys.executable, "-m", "barista.platforms.local.router", str(path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert str(path) in ended.stderr
    assert "services.default/digits.queue" in ended.stderr
