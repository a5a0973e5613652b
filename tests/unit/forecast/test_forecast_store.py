"""The store: what was put by comes back over a restart, and nothing else does."""

import os

import pytest

from barista.forecast import store as module
from barista.forecast.store import StateStore, Stored
from barista.ports.forecaster import ForecastContext
from barista.values.service import PluginChoice, ServiceId

A = ServiceId("ns/a")
CHOICE = PluginChoice("ensemble", {"members": ["ridge"]})
CONTEXT = ForecastContext()
STORED = Stored(b"some\nbytes\0of a state", 120.0)


@pytest.fixture
def store(tmp_path):
    made = StateStore(tmp_path / "fits")
    made.write(A, CHOICE, CONTEXT, 10.0, STORED)
    return made


def read(store, service=A, choice=CHOICE, context=CONTEXT, step_s=10.0):
    return store.read(service, choice, context, step_s)


def only_file(store):
    (path,) = store.directory.iterdir()
    return path


def test_what_was_put_by_comes_back_after_a_restart(store):
    again = StateStore(store.directory)
    assert read(again) == STORED
    assert again.notes == {}


def test_a_service_of_which_nothing_was_put_by_is_no_fault(store):
    assert read(store, ServiceId("ns/b")) is None
    assert store.notes == {}


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ({"choice": PluginChoice("ensemble")}, "of another forecaster"),
        ({"context": ForecastContext(seed=1)}, "of another context"),
        ({"step_s": 20.0}, "of another step_s"),
    ],
)
def test_a_state_made_for_something_else_is_passed_over(store, asked, note):
    assert read(store, **asked) is None
    assert note in store.notes[A]


def test_a_state_of_another_version_is_passed_over(store, monkeypatch):
    monkeypatch.setattr(module, "__version__", "another")
    assert read(store) is None
    assert "of another version" in store.notes[A]


@pytest.mark.parametrize("spoilt", [b"", b"\x80\x05pickle", b"[]\n", b"{}\n", b'{"format": 1'])
def test_what_is_no_stored_state_is_passed_over(store, spoilt):
    only_file(store).write_bytes(spoilt)
    assert read(store) is None
    assert "passed over" in store.notes[A]


def test_a_torn_state_is_passed_over(store):
    path = only_file(store)
    path.write_bytes(path.read_bytes()[:-1])
    assert read(store) is None
    assert "broken" in store.notes[A]


def test_a_file_that_others_may_write_to_is_not_trusted(store):
    only_file(store).chmod(0o666)
    assert read(store) is None
    assert "others may write to it" in store.notes[A]


def test_a_file_of_another_user_is_not_trusted(store, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert read(store) is None
    assert "owned by another user" in store.notes[A]


def test_a_link_is_not_followed(store):
    path = only_file(store)
    path.rename(path.with_suffix(".aside"))
    path.symlink_to(path.with_suffix(".aside"))
    assert read(store) is None


def test_only_its_user_can_look_into_it(store):
    assert store.directory.stat().st_mode & 0o077 == 0
    assert only_file(store).stat().st_mode & 0o077 == 0


def test_a_later_state_takes_the_place_of_the_former(store):
    store.write(A, CHOICE, CONTEXT, 10.0, Stored(b"later", 130.0))
    assert read(store) == Stored(b"later", 130.0)
    assert only_file(store)


def test_what_cannot_be_stored_is_noted_and_costs_nothing_else(store, monkeypatch):
    monkeypatch.setattr(module.tempfile, "mkstemp", refuses)
    store.write(A, CHOICE, CONTEXT, 10.0, Stored(b"later", 130.0))
    assert "not stored: No space left on device" in store.notes[A]
    assert read(store) == STORED


def refuses(*_, **__):
    raise OSError(28, "No space left on device")
