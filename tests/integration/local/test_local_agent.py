"""One local run, and what happens to it in turn: each test says first what it is to hold."""

import asyncio
import json
import os
import signal
import statistics

import psutil
import pytest
import pytest_asyncio
from local_run import DIGITS, ask, decision, eventually, load, session, supervisor

from barista.models import build_models
from barista.platforms.local.platform import LocalPlatform
from barista.ports.platform import PlatformUnavailable
from barista.values.replica import Phase
from barista.values.service import Authority, DispatchRule, ServiceId

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Run:
    """The run as its users know it: the router answers, the platform tells and does the rest."""

    def __init__(self, supervised, client, directory):
        self.supervised = supervised
        self.client = client
        self.directory = directory
        self.platform = LocalPlatform(supervised.agent_url)

    async def replicas(self):
        return (await asyncio.to_thread(self.platform.state))[DIGITS]

    async def apply(self, *decisions):
        return await asyncio.to_thread(self.platform.apply, decisions)

    async def hold(self, final):
        """Hold exactly `final`, all of it serving."""

        async def is_all():
            return len(await self.replicas()) == sum(final.values())

        await self.apply(decision(final))
        await self.supervised.wait_ready()
        await eventually(is_all)
        return await self.replicas()

    async def ask(self):
        return await ask(self.client, self.supervised)

    def told(self):
        return json.loads((self.directory / "supervisor.json").read_text())

    def used(self):
        return self.supervised.usage()[DIGITS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("agent")
    async with supervisor(directory, initial={"full": 1}) as supervised, session() as client:
        await supervised.wait_ready()
        yield Run(supervised, client, directory)


async def test_a_replica_becomes_ready_and_answers_the_sample_right(run):
    (replica,) = await run.hold({"full": 1})
    status, said, _, by = await run.ask()
    assert (status, by) == (200, replica.id)
    assert build_models(["digits"])["digits"].answer.items() <= said.items()
    assert (replica.phase, replica.flavor) == (Phase.READY, "full")
    assert replica.ready_at_s > replica.ordered_at_s
    assert run.used().cold_starts == 0
    assert run.platform.dispatch_rule(DIGITS) is DispatchRule.LEAST_LOADED


async def test_a_change_in_place_changes_the_speed_of_the_same_server(run):
    async def median_s():
        return statistics.median([(await run.ask())[2] for _ in range(25)])

    (before,) = await run.hold({"full": 1})
    pid = run.told()["replicas"][before.id]
    fast_s = await median_s()
    (slow,) = await run.hold({"slow": 1})
    slow_s = await median_s()
    (after,) = await run.hold({"full": 1})

    assert (before.id, before.ready_at_s) == (slow.id, slow.ready_at_s) == (after.id, after.ready_at_s)
    assert (slow.flavor, after.flavor) == ("slow", "full")
    assert run.told()["replicas"][after.id] == pid
    # A tenth of the cpu: far slower, whatever else the machine does.
    assert slow_s > 2 * fast_s
    assert run.used().replica_seconds["slow"] > 0


async def test_scaling_up_and_down_under_load_loses_no_request(run):
    await run.hold({"half": 1})
    over = asyncio.Event()
    loading = asyncio.create_task(load(run.client, run.supervised, rps=10, until=over))
    await run.hold({"half": 2})
    await asyncio.sleep(1)
    await run.hold({"half": 1})
    over.set()
    answers = await loading
    assert {status for status, *_ in answers} == {200}
    assert len({by for *_, by in answers}) == 2


async def test_a_killed_replica_is_replaced_and_its_requests_are_not_lost(run):
    (victim,) = await run.hold({"half": 1})
    crashes = run.used().crashes
    over = asyncio.Event()
    loading = asyncio.create_task(load(run.client, run.supervised, rps=3, until=over))
    await asyncio.sleep(0.5)
    os.kill(run.told()["replicas"][victim.id], signal.SIGKILL)
    await eventually(lambda: run.used().crashes == crashes + 1, within_s=5)
    (heir,) = await run.hold({"half": 1})
    over.set()
    assert {status for status, *_ in await loading} == {200}
    assert heir.id != victim.id
    assert heir.flavor == "half"


async def test_a_replica_whose_model_worker_dies_is_replaced(run):
    (victim,) = await run.hold({"half": 1})
    crashes = run.used().crashes
    (worker,) = psutil.Process(run.told()["replicas"][victim.id]).children()
    worker.kill()
    await eventually(lambda: run.used().crashes == crashes + 1, within_s=15)
    (heir,) = await run.hold({"half": 1})
    assert heir.id != victim.id
    assert (await run.ask())[0] == 200


async def test_a_starting_replica_that_is_not_wanted_any_more_goes_before_it_served(run):
    (serving,) = await run.hold({"half": 1})
    await run.apply(decision({"half": 2}))
    starting = next(r for r in await run.replicas() if r.phase is Phase.STARTING)
    assert starting.ready_at_s > starting.ordered_at_s
    await asyncio.sleep(0.5)
    await run.apply(decision({"half": 1}))
    held = await run.hold({"half": 1})
    assert [replica.id for replica in held] == [serving.id]


async def test_wanting_the_same_twice_starts_nothing_twice(run):
    await run.hold({"half": 1})
    for _ in range(2):
        (applied,) = await run.apply(decision({"half": 1}))
        assert (applied.ok, applied.text) == (True, "nothing to do")
    assert len(await run.replicas()) == 1


async def test_advise_changes_nothing(run):
    held = await run.hold({"half": 1})
    (applied,) = await run.apply(decision({"full": 3}, Authority.ADVISE))
    assert (applied.ok, applied.text) == (True, "advise: nothing was changed")
    await asyncio.sleep(0.5)
    assert await run.replicas() == held


async def test_what_cannot_be_applied_is_refused_in_words(run):
    held = await run.hold({"half": 1})
    unknown = decision({"half": 1}, service=ServiceId("a/b"))
    applied = await run.apply(decision({"huge": 1}), decision({"half": -1}), unknown)
    assert [(one.ok, one.text) for one in applied] == [
        (False, "service default/digits: flavor 'huge': no such flavor; known: full, half, slow"),
        (False, "service default/digits: -1 replicas of half: must not be negative"),
        (False, "service a/b: not run here; known: default/digits"),
    ]
    assert await run.replicas() == held


async def test_a_restarted_router_learns_of_the_replicas_again(run):
    await run.hold({"half": 1})
    old = run.supervised.child_pid("router")
    os.kill(old, signal.SIGKILL)
    await eventually(lambda: run.told()["children"].get("router", old) != old, within_s=10)

    async def answers():
        try:
            return (await run.ask())[0] == 200
        except OSError:
            return False

    assert await eventually(answers, within_s=10)


async def test_an_agent_that_is_away_leaves_the_state_unknown_and_the_decision_undone(run):
    nobody = LocalPlatform("http://127.0.0.1:9")
    with pytest.raises(PlatformUnavailable, match=r"agent at http://127.0.0.1:9/state: no answer"):
        nobody.state()
    (applied,) = nobody.apply([decision({"half": 1})])
    assert not applied.ok
