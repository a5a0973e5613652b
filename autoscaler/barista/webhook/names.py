"""The names in the operator's configuration, followed as the file changes.

A bad change leaves the last good one in force: the controller is who reports it.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from barista.plugins import FORECASTERS, PLANNERS, plugin_names
from barista.settings import Settings, SettingsError, load_settings
from barista.values.flavor import Flavor

log = logging.getLogger(__name__)


class ConfiguredNames:
    """What ``barista.yaml`` at `path` names, besides the installed plug-ins; None: there is no such file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read_at_ns: int | None = None
        self._settings: Settings | None = None
        self._installed = {group: frozenset(plugin_names(group)) for group in (FORECASTERS, PLANNERS)}

    def flavors(self) -> Mapping[str, Flavor]:
        """The flavors that it holds, by name."""
        settings = self._current()
        return {} if settings is None else settings.catalogue().flavors

    def forecasters(self) -> frozenset[str]:
        """The forecasters that may be chosen."""
        settings = self._current()
        return self._installed[FORECASTERS] | frozenset(() if settings is None else settings.forecasters)

    def planners(self) -> frozenset[str]:
        """The planners that may be chosen."""
        return self._installed[PLANNERS]

    def _current(self) -> Settings | None:
        if self._path is None:
            return None
        try:
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns != self._read_at_ns:
                self._read_at_ns = changed_ns
                self._settings = load_settings(self._path)
        except (OSError, SettingsError) as error:
            log.warning("configuration not read: %s", error)
        return self._settings
