"""Plug-ins are found by name; what is wrong with one is said in one line."""

from importlib.metadata import EntryPoint

import pytest

from barista import plugins
from barista.plugins import FORECASTERS, PLANNERS, PluginError, load_plugin, plugin_names

OFFERED = {
    "plain": "builtins:dict",
    "odd": "os:sep",
    "absent": "no_such_module_at_all:Thing",
    "moved": "os:no_such_name",
    "strict": "fractions:Fraction",
}


@pytest.fixture
def _offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points as an installed distribution would offer them."""

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in OFFERED.items()]

    monkeypatch.setattr(plugins, "entry_points", entry_points)


def test_the_built_in_plug_ins_are_installed_like_any_other() -> None:
    assert {"last-value", "seasonal-naive", "neuralprophet", "compensated"} <= {*plugin_names(FORECASTERS)}
    assert {"greedy", "mip"} <= {*plugin_names(PLANNERS)}


@pytest.mark.usefixtures("_offered")
def test_a_plug_in_is_made_from_its_options() -> None:
    assert load_plugin(FORECASTERS, "plain", {"k": 1}) == {"k": 1}
    assert load_plugin(FORECASTERS, "plain") == {}


@pytest.mark.usefixtures("_offered")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "nope",
            {},
            "forecaster 'nope': no such plug-in installed; known: absent, moved, odd, plain, strict",
        ),
        ("odd", {}, "forecaster 'odd': entry point os:sep is not callable"),
        ("absent", {}, "forecaster 'absent': entry point no_such_module_at_all:Thing cannot be imported: "),
        ("moved", {}, "forecaster 'moved': entry point os:no_such_name cannot be imported: "),
        ("strict", {"colour": 1}, "forecaster 'strict': options {'colour': 1}: "),
        ("strict", {"numerator": "x"}, "forecaster 'strict': options {'numerator': 'x'}: Invalid literal"),
    ],
)
def test_what_is_wrong_with_a_plug_in_is_one_line(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(PluginError) as caught:
        load_plugin(FORECASTERS, name, options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_offered")
def test_what_the_operator_configured_is_found_besides_what_is_installed() -> None:
    configured = {"team-a": lambda **options: ("elsewhere", options)}
    assert load_plugin(FORECASTERS, "team-a", {"k": 1}, configured) == ("elsewhere", {"k": 1})
    assert load_plugin(FORECASTERS, "plain", None, configured) == {}
    with pytest.raises(PluginError, match=r"no such plug-in installed or configured; known: .*team-a"):
        load_plugin(FORECASTERS, "nope", None, configured)
