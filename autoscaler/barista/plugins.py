"""Finds forecasters and planners by name: entry points of the installed distributions, and those configured.

A distribution offers a plug-in by an entry point in the group ``barista.forecasters`` or
``barista.planners`` that names a callable taking the options as keyword arguments. Built-in
plug-ins (`barista_plugins`) are found the same way and get nothing that an outside one does not. What the
operator configured by name (a forecaster behind a webhook) is handed in by whoever knows the configuration.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

FORECASTERS = "barista.forecasters"
PLANNERS = "barista.planners"


class PluginError(Exception):
    """A plug-in is unknown, cannot be imported (an extra is missing), or refuses its options."""


def plugin_names(group: str) -> tuple[str, ...]:
    """Names of the installed plug-ins of `group`, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load_plugin(
    group: str,
    name: str,
    options: Mapping[str, object] | None = None,
    configured: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """The plug-in `name` of `group`, made from its `options`. PluginError says what is wrong.

    `configured` are the makers of plug-ins that the operator named himself.
    """
    kind = group.removeprefix("barista.").removesuffix("s")
    named = configured or {}
    make = named[name] if name in named else _factory(_find(group, name, kind, tuple(named)), kind)
    try:
        return make(**(options or {}))
    except (TypeError, ValueError) as error:
        raise PluginError(f"{kind} {name!r}: options {dict(options or {})}: {error}") from error


def _find(group: str, name: str, kind: str, configured: tuple[str, ...]) -> EntryPoint:
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if not found:
        known = ", ".join(sorted({*plugin_names(group), *configured})) or "none"
        where = "installed or configured" if configured else "installed"
        raise PluginError(f"{kind} {name!r}: no such plug-in {where}; known: {known}")
    return found[0]


def _factory(entry: EntryPoint, kind: str) -> Callable[..., Any]:
    try:
        make: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{kind} {entry.name!r}: entry point {entry.value} cannot be imported: {error};"
            f" install what it needs, for a built-in one: pip install 'knative-barista[{entry.name}]'"
        ) from error
    if not callable(make):
        raise PluginError(f"{kind} {entry.name!r}: entry point {entry.value} is not callable")
    return make
