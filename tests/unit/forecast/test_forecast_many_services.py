"""Many services: few messages, states that stay where they are used, and nobody pays for another's fault."""

import time

import numpy as np
import pytest
from faulty_forecasters import Honest, Many, make

from barista.forecast import tasks
from barista.forecast.asking import CHUNK
from barista.forecast.host import PACKED_STEPS, ForecasterHost
from barista.forecast.store import StateStore, Stored
from barista.ports.forecaster import ForecastContext
from barista.values.series import Calendar, Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.workers import Inline, KillingPool, Lanes

STEP_S = 10.0
CONTEXT = ForecastContext(calendar=Calendar(seasons_s=(20 * STEP_S,)), steps=3)
END_S = 1000.0
HISTORY = Demand(END_S - 40 * STEP_S, STEP_S, np.tile(np.arange(20.0) / 2, 2))


class Listening(Inline):
    """Works inline, and notes the questions of each message."""

    def __init__(self):
        self.messages = []

    def submit(self, fn, /, *args, **kwargs):
        if fn is tasks.answer:
            self.messages.append(args[2])
        return super().submit(fn, *args, **kwargs)


def services(count, forecaster="Honest"):
    return [service(forecaster, f"s{k}") for k in range(count)]


def service(forecaster, name):
    choice = PluginChoice(forecaster)
    return Service(ServiceId(f"ns/{name}"), "m", Slo(0.2), ("cpu-1",), forecaster=choice)


class Story:
    """A host that knows `all_of_them`, fitted; its clock goes on a step with each value they are told."""

    def __init__(self, all_of_them, executor=None, **options):
        self.services, self.now_s = all_of_them, END_S
        self.host = ForecasterHost(make, CONTEXT, STEP_S, executor or Inline(), **options)
        self.learn()

    def learn(self):
        for each in self.services:
            self.host.learn(each, HISTORY, END_S)
        end = time.monotonic() + 60
        while self.host.fits_under_way():
            assert time.monotonic() < end, "never fitted"
            self.host.collect(END_S)
            time.sleep(0.01)

    def told(self, *values):
        """What is foreseen once each service was told its value (the last one goes on)."""
        self.now_s += STEP_S
        for k, each in enumerate(self.services):
            news = np.array([values[min(k, len(values) - 1)]], dtype=float)
            self.host.observe(each.id, Demand(self.now_s - STEP_S, STEP_S, news))
        return self.foreseen()

    def foreseen(self):
        return list(self.host.foresee(self.services, self.now_s).values())


def test_those_that_answered_well_are_asked_together():
    executor = Listening()
    story = Story(services(3 * CHUNK), executor)
    story.told(1)
    executor.messages.clear()
    made = story.told(*range(3 * CHUNK))
    assert len(executor.messages) == 3
    assert [forecast.mean[0] for forecast in made] == list(range(3 * CHUNK))


def test_states_stay_where_they_are_used_and_only_news_are_told():
    executor = Listening()
    story = Story(services(2), executor)
    executor.messages.clear()
    for k in range(5):
        story.told(k)
    questions = [question for message in executor.messages for question in message]
    assert all(question.state is None and len(question.news) == 1 for question in questions)


def test_without_news_nobody_is_asked_again():
    executor = Listening()
    story = Story(services(2), executor)
    first = story.told(4)
    executor.messages.clear()
    assert story.foreseen() == first
    assert executor.messages == []


def test_a_worker_that_lost_its_states_is_sent_them_and_all_goes_on():
    executor = Listening()
    story = Story(services(2), executor)
    for k in range(4 * PACKED_STEPS):
        if k % 7 == 0:
            tasks._held.clear()
        made = story.told(k, 2 * k)
        assert [(f.made_by, f.mean[0], f.origin_s) for f in made] == [
            ("honest", k, story.now_s),
            ("honest", 2 * k, story.now_s),
        ]
    assert story.host.health() == {}
    sent = [q for message in executor.messages for q in message if q.state is not None and len(q.news)]
    assert max(len(question.news) for question in sent) <= 2 * PACKED_STEPS


def test_values_that_nobody_saw_are_not_remembered_when_they_come_after_all():
    story = Story(services(1))
    story.told(1)
    story.now_s += 3 * STEP_S
    (late,) = story.foreseen()
    assert late.origin_s == story.now_s
    story.host.observe(story.services[0].id, Demand(story.now_s - 3 * STEP_S, STEP_S, np.array([4.0, 5, 6])))
    (made,) = story.foreseen()
    assert made.mean[0] == 6


@pytest.mark.parametrize("fails", ["HangsAtThirteen", "CrashesAtThirteen"])
def test_beside_one_that_fails_the_others_say_what_they_said_a_moment_ago_and_then_go_on(fails):
    them = [service(fails, "fails"), *services(4)]
    with Lanes.of_processes(1) as lanes:
        story = Story(them, lanes, forecast_limit_s=20)
        story.told(1)
        before = story.told(2)
        assert {forecast.made_by for forecast in before} == {"honest"}
        story.host.forecast_limit_s = 0.5
        made = story.told(13, 3)
        assert [(f.made_by, f.mean[0]) for f in made[1:]] == [("honest", 2)] * 4
        assert set(story.host.health()) == {each.id for each in them}
        story.host.forecast_limit_s = 5
        end = time.monotonic() + 30
        expected = ["seasonal-naive", *["honest"] * 4]
        while [f.made_by for f in made] != expected or [f.mean[0] for f in made[1:]] != [3] * 4:
            assert time.monotonic() < end, story.host.health()
            made = story.foreseen()
        assert set(story.host.health()) == {them[0].id}
        assert "out until it is fitted again" in story.host.health()[them[0].id]


def test_lanes_keep_a_service_in_its_place():
    lanes = Lanes([Inline(), Inline(), Inline()])
    found = [{id(lanes.of(f"ns/{k}")) for _ in range(3)} for k in range(100)]
    assert all(len(same) == 1 for same in found)
    assert len(set.union(*found)) == 3


def test_one_that_can_forecasts_many_at_once_and_is_asked_one_by_one_when_it_fails_at_that():
    story = Story(services(4, "Many"))
    story.told(1)
    Many.calls = 0
    assert [f.mean[0] for f in story.told(2, 3, 4, 5)] == [2, 3, 4, 5]
    assert Many.calls == 1
    assert [f.mean[0] for f in story.told(13, 3)] == [13, 3, 3, 3]


def test_members_are_heard_and_their_silence_costs_nothing():
    story = Story([service("Composed", "a"), *services(1)])
    story.told(6)
    composed, plain = (story.host.members(each.id) for each in story.services)
    assert composed["only"].mean[0] == 6
    assert plain == {}
    assert story.told(13)[0].made_by == "honest"
    assert story.host.members(story.services[0].id) == {}


def test_services_that_are_gone_are_forgotten():
    story = Story(services(2))
    gone, kept = story.services
    story.told(1)
    story.host.keep({kept.id})
    assert set(story.host.foresee([gone, kept], story.now_s)) == {kept.id}


@pytest.fixture
def no_more_fits(monkeypatch):
    def refuse(*_):
        raise ValueError("need a cold fit")

    def forbid():
        monkeypatch.setattr(Honest, "fit", refuse)

    return forbid


def test_after_a_restart_stored_states_catch_up_instead_of_being_fitted(tmp_path, no_more_fits):
    Story(services(2), store=StateStore(tmp_path / "fitted"))
    no_more_fits()
    again = Story(services(2), store=StateStore(tmp_path / "fitted"))
    assert [f.made_by for f in again.told(5)] == ["honest", "honest"]
    assert again.host.health() == {}


def test_what_was_seen_since_it_was_stored_is_caught_up_with(tmp_path):
    store = StateStore(tmp_path / "fitted")
    early = HISTORY.until(END_S - 5 * STEP_S)
    (one,) = services(1)
    state = tasks.fit(make, one.forecaster, early, CONTEXT, None)
    store.write(one.id, one.forecaster, CONTEXT, STEP_S, Stored(state, early.end_s))
    story = Story([one], store=store)
    (made,) = story.foreseen()
    assert (made.made_by, made.mean[0], made.origin_s) == ("honest", HISTORY.values[-1], END_S)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"?"), lambda path: path.chmod(0o666)])
def test_a_stored_state_that_cannot_be_used_is_a_note_and_a_fit(tmp_path, spoil):
    directory = tmp_path / "fitted"
    (one,) = services(1)
    Story([one], store=StateStore(directory))
    spoil(next(directory.iterdir()))
    store = StateStore(directory)
    assert store.read(one.id, one.forecaster, CONTEXT, STEP_S) is None
    assert "passed over" in store.notes[one.id]
    assert Story([one], store=store).told(1)[0].made_by == "honest"


def test_a_stored_state_that_cannot_be_opened_is_followed_by_a_fit(tmp_path):
    (one,) = services(1)
    store = StateStore(tmp_path / "fitted")
    store.write(one.id, one.forecaster, CONTEXT, STEP_S, Stored(b"no pickle", END_S - STEP_S))
    assert Story([one], store=store).told(1)[0].made_by == "honest"


def test_a_stored_state_that_hung_or_crashed_is_not_taken_up_again(tmp_path):
    (one,) = services(1, "CrashesAtThirteen")
    with KillingPool() as pool:
        story = Story([one], pool, store=StateStore(tmp_path / "fitted"), forecast_limit_s=20)
        assert story.told(1)[0].made_by == "honest"
        assert story.told(13)[0].made_by == "seasonal-naive"
    assert list((tmp_path / "fitted").iterdir()) == []


def test_a_state_is_stored_again_as_it_moves_on(tmp_path):
    (one,) = services(1)
    story = Story([one], store=StateStore(tmp_path / "fitted"))
    for k in range(2 * PACKED_STEPS):
        story.told(k)
    stored = StateStore(tmp_path / "fitted").read(one.id, one.forecaster, CONTEXT, STEP_S)
    assert stored is not None
    assert stored.end_s > END_S


def test_a_hung_worker_does_not_keep_a_neighbour_in_another_lane_waiting():
    hangs = service("HangsAtThirteen", "s0")
    with KillingPool() as one, KillingPool() as other:
        lanes = Lanes([one, other])
        fine = next(s for s in services(20) if lanes.of(s.id) is not lanes.of(hangs.id))
        story = Story([hangs, fine], lanes, forecast_limit_s=20)
        story.told(1)
        story.host.forecast_limit_s = 1
        assert [f.made_by for f in story.told(13, 3)] == ["seasonal-naive", "honest"]
        assert set(story.host.health()) == {hangs.id}
