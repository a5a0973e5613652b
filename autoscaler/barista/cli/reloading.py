"""Reloading: the operator's configuration, read again when its file changes.

Kubernetes changes the file of a mounted ConfigMap under a running process. A change that is wrong is
refused, and what was in force stays.
"""

from pathlib import Path

from barista.settings import Settings, SettingsError, load_settings


class ConfigurationFile:
    """The configuration at `path`. SettingsError when it is wrong from the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = path.read_bytes() if path.exists() else b""
        self.settings: Settings = load_settings(path)
        self.fault = ""
        """Why the file as it is now is not in force; empty when it is."""

    def follow(self) -> bool:
        """Read the file if it has changed since; whether anything is new, a fault included."""
        try:
            text = self._path.read_bytes()
        except OSError as error:
            fault = f"{self._path}: cannot be read: {error.strerror or error}"
            news, self.fault = fault != self.fault, fault
            return news
        if text == self._text:
            return False
        self._text = text
        try:
            self.settings, self.fault = load_settings(self._path), ""
        except SettingsError as error:
            self.fault = str(error)
        return True
