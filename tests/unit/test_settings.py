"""Settings: what resolves to what, and that every mistake ends in one line that says where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from barista.settings import SettingsError, load_settings, parse_settings
from barista.values.flavor import Flavor
from barista.values.service import Authority, PluginChoice, Slo
from barista.values.webhook import Webhook

FLAVOR = {"pool": "p", "cpu": 1, "memory_gib": 1, "cost_per_hour": 0.1}
BASE: Mapping[str, Any] = {
    "pools": {"p": {"cpu": 2, "memory_gib": 4}},
    "flavors": {"one": FLAVOR, "two": FLAVOR | {"cpu": 2, "family": "big"}},
    "services": [{"name": "a", "model": "net"}],
}


def services(**settings: object) -> dict[str, Any]:
    return {"services": [{"name": "a", "model": "net"} | settings]}


def test_a_service_says_more_than_the_operator_and_he_more_than_the_defaults() -> None:
    document = (
        BASE
        | {"defaults": {"latency_slo_ms": 300, "max_replicas": 4, "authority": "floor", "flavors": ["one"]}}
        | services(latency_slo_ms=200, latency_percentile=99, forecaster={"name": "x", "options": {"k": 1}})
    )
    settings = parse_settings(dict(document), "f.yaml")
    service = settings.resolve(settings.services[0])
    assert service.id == "default/a"
    assert service.slo == Slo(0.2, 0.99)
    assert (service.min_replicas, service.max_replicas) == (1, 4)
    assert service.authority is Authority.FLOOR
    assert service.flavors == ("one",)
    assert service.forecaster == PluginChoice("x", {"k": 1})


def test_by_default_a_service_advises_and_may_use_every_flavor() -> None:
    settings = parse_settings(dict(BASE), "f.yaml")
    service = settings.resolve(settings.services[0])
    assert service.authority is Authority.ADVISE
    assert service.flavors == ("one", "two")
    assert settings.catalogue().flavor("two") == Flavor("two", "p", 2, 1, 0.1, family="big")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "f.yaml: colour: no such setting: correct its name or remove it"),
        (
            {"control": {"cycel_s": 1}},
            "f.yaml: control.cycel_s: no such setting: correct its name or remove it",
        ),
        ({"control": {"cycle_s": 0}}, "f.yaml: control.cycle_s: Input should be greater than 0"),
        (
            {"control": {"step_min_s": 400}},
            "f.yaml: control: step_min_s 400 is above step_max_s 300: lower it",
        ),
        (
            {"time_zone": "Mars"},
            "f.yaml: time_zone: 'Mars': no such time zone; need a name like Europe/Berlin",
        ),
        ({"services": 3}, "f.yaml: services: Input should be a valid list"),
        ({"services": [{"name": "a"}]}, "f.yaml: services.0.model: Field required"),
        (
            {"services": [{"name": "a", "model": "m"}] * 2},
            "f.yaml: services: default/a given more than once: rename one",
        ),
        (
            services(flavors=["one", "huge"]),
            "f.yaml: services[a].flavors: flavor 'huge': no such flavor; known: one, two",
        ),
        (
            {"defaults": {"flavors": ["huge"]}},
            "f.yaml: defaults.flavors: flavor 'huge': no such flavor; known: one, two",
        ),
        (
            services(flavors=["one", "one"]),
            "f.yaml: services[a].flavors: flavor 'one': given more than once: remove one",
        ),
        (
            services(min_replicas=5, max_replicas=2),
            "f.yaml: services[a]: service default/a: min_replicas 5 and max_replicas 2: need 0 <= min <= max",
        ),
        (
            services(latency_percentile=0.95),
            "f.yaml: services.0.latency_percentile: Input should be greater than or equal to 1",
        ),
        (
            {"flavors": {"one": FLAVOR | {"pool": "q"}}},
            "f.yaml: flavor 'one': no such pool 'q'; known: p",
        ),
        ({"pools": {"p": {"cpu": 2}}}, "f.yaml: pools.p.memory_gib: Field required"),
    ],
)
def test_a_mistake_is_one_line_with_thing_and_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(dict(BASE) | change, "f.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pools: [", "not YAML at line 1, column 9"),
        ("- 1", "need a mapping with pools, flavors and services at the top"),
        ("", "need a mapping with pools, flavors and services at the top"),
        ("1: 2", "need a mapping with pools, flavors and services at the top"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "barista.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_the_environment_overrides_the_file_key_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARISTA_CONTROL__CYCLE_S", "7")
    monkeypatch.setenv("BARISTA_MODELS", "/somewhere/else")  # another part's, not a setting
    settings = parse_settings(dict(BASE) | {"control": {"cycle_s": 20, "surge_s": 3}}, "f.yaml")
    assert (settings.control.cycle_s, settings.control.surge_s) == (7, 3)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BARISTA_CONTROL__CYCLE_S", "soon", "environment BARISTA_CONTROL__CYCLE_S: control.cycle_s: "),
        (
            "BARISTA_CONTROL__CYCEL_S",
            "1",
            "environment BARISTA_CONTROL__CYCEL_S: control.cycel_s: no such setting",
        ),
        ("BARISTA_CONTROL", "{", "environment BARISTA_…: "),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        parse_settings(dict(BASE), "f.yaml")
    assert str(caught.value).startswith(message)


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    file = tmp_path / "conf" / "barista.yaml"
    document = dict(BASE) | services(archive="models/net.mar", profile="/srv/net.yaml")
    file.write_text(yaml.safe_dump(document))
    monkeypatch.chdir(tmp_path)
    for path in (file, Path("conf/barista.yaml")):
        (service,) = load_settings(path).services
        assert service.archive == tmp_path / "conf" / "models" / "net.mar"
        assert service.profile == Path("/srv/net.yaml")


def test_settings_survive_being_handed_to_another_process_as_json(tmp_path: Path) -> None:
    file = tmp_path / "barista.yaml"
    file.write_text(yaml.safe_dump(dict(BASE) | services(archive="net.mar", max_replicas=3)))
    settings = load_settings(file)
    again = parse_settings(settings.model_dump(mode="json", exclude_unset=True), "settings")
    assert again == settings
    assert again.resolve(again.services[0]) == settings.resolve(settings.services[0])


WEBHOOK = {"url": "https://forecaster.example/v1/forecast"}


def test_the_operator_names_forecasters_that_run_elsewhere_and_what_his_calendar_holds(
    tmp_path: Path,
) -> None:
    (tmp_path / "events.csv").write_text("start,end,name,effect\n2024-11-29,2024-11-30,sale,2\n")
    (tmp_path / "ca.pem").write_text("")
    file = tmp_path / "barista.yaml"
    hook = WEBHOOK | {"timeout_s": 1, "ca_file": "ca.pem"}
    more = {"time_zone": "Europe/Berlin", "country": "DE-BY", "events": "events.csv"}
    file.write_text(yaml.safe_dump(dict(BASE) | more | {"forecasters": {"team-a": {"webhook": hook}}}))
    settings = load_settings(file)
    assert settings.webhooks() == (Webhook("team-a", WEBHOOK["url"], 1, str(tmp_path / "ca.pem")),)
    calendar = settings.calendar()
    assert (calendar.time_zone, calendar.country) == ("Europe/Berlin", "DE-BY")
    assert [(event.name, event.effect) for event in calendar.events] == [("sale", 2)]
    again = parse_settings(settings.model_dump(mode="json", exclude_unset=True), "settings")
    assert (again.calendar(), again.webhooks()) == (calendar, settings.webhooks())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"country": "XX"}, "country: 'XX': no holidays on record; need an ISO code like DE"),
        (
            {"forecasters": {"team-a": {"webhook": {"url": "forecaster:80"}}}},
            "forecasters.team-a.webhook.url: 'forecaster:80': need a URL like https://",
        ),
        ({"forecasters": {"team-a": {}}}, "forecasters.team-a.webhook: Field required"),
        (
            {"forecasters": {"last-value": {"webhook": WEBHOOK}}},
            "forecasters: last-value: an installed forecaster has this name: choose another",
        ),
        (
            {"forecasters": {"team-a": {"webhook": WEBHOOK | {"ca_file": "ca.pem"}}}},
            "forecasters.team-a.webhook.ca_file: no such file {folder}/ca.pem",
        ),
        ({"events": "none.csv"}, "events: {folder}/none.csv: cannot be read: No such file or directory"),
        ({"events": "events.csv"}, "events: {folder}/events.csv:2: time 'x': need e.g. 2024-11-29 08:00"),
    ],
)
def test_a_mistake_in_calendar_or_forecasters_is_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "events.csv").write_text("start,end,name\nx,y,z\n")
    file = tmp_path / "barista.yaml"
    file.write_text(yaml.safe_dump(dict(BASE) | change))
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(caught.value).startswith(f"{file}: {message.format(folder=tmp_path)}")
    assert "\n" not in str(caught.value)


def test_where_fitted_forecasters_lie_is_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "barista.yaml"
    file.write_text(yaml.safe_dump(dict(BASE) | {"control": {"state_dir": "fitted"}}))
    assert load_settings(file).control.state_dir == tmp_path / "fitted"


def test_a_service_that_chooses_no_forecaster_gets_the_ensemble() -> None:
    settings = parse_settings(dict(BASE), "here")
    assert settings.defaults.forecaster.choice() == PluginChoice("ensemble")
