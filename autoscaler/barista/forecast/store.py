"""The store: fitted states on disk, so that a restart goes on where it was instead of fitting anew.

A file a service holds a line of JSON, which says what the state is of, and then its bytes. They are a
pickle: opening one runs what it says. So whoever can write to the directory can run code in the workers.
The store makes it for its own user alone, and passes over what anybody else owns or could have written.

It is a convenience, never needed: what is missing, broken, of another version or of another choice is
not used, and a note says why.
"""

import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from barista import __version__
from barista.ports.forecaster import ForecastContext
from barista.values.service import PluginChoice, ServiceId

FORMAT = 2
SUFFIX = ".fit"


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of a state, and the end of the demand that it has seen."""

    state: bytes
    end_s: float


@dataclass(slots=True)
class StateStore:
    """States by service below `directory` (made if absent); `notes` say what could not be used or written."""

    directory: Path
    notes: dict[ServiceId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(
        self,
        service: ServiceId,
        choice: PluginChoice,
        context: ForecastContext,
        step_s: float,
        stored: Stored,
    ) -> None:
        """Keep the state of `service` in place of the former one."""
        head = _head(choice, context, step_s) | {
            "service": service,
            "end_s": stored.end_s,
            "sha256": sha256(stored.state).hexdigest(),
        }
        try:
            self._replace(self._path(service), json.dumps(head).encode() + b"\n" + stored.state)
        except OSError as error:
            self.notes[service] = f"fitted state not stored: {error.strerror or error}"
        else:
            self.notes.pop(service, None)

    def read(
        self, service: ServiceId, choice: PluginChoice, context: ForecastContext, step_s: float
    ) -> Stored | None:
        """The state of `service` made by `choice` for `context`; None, and a note, when it cannot be used."""
        path = self._path(service)
        try:
            line, _, state = _read_own(path).partition(b"\n")
            head = json.loads(line)
            given = _head(choice, context, step_s)
            other = [name for name, value in given.items() if head.get(name) != value]
            if other:
                raise ValueError(f"of another {other[0]}")
            if head["service"] != service or head["sha256"] != sha256(state).hexdigest():
                raise ValueError("broken")
            return Stored(state, float(head["end_s"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            reason = "not a stored state" if isinstance(error, (json.JSONDecodeError, KeyError)) else error
            self.notes[service] = f"stored state {path.name} passed over: {reason}"
            return None

    def remove(self, service: ServiceId) -> None:
        """Keep nothing of `service`."""
        with suppress(OSError):
            self._path(service).unlink()

    def _path(self, service: ServiceId) -> Path:
        return self.directory / f"{quote(service, safe='')}{SUFFIX}"

    def _replace(self, path: Path, content: bytes) -> None:
        # Written aside, readable by this user only, and renamed: a reader sees the old one or the new one.
        handle, aside = tempfile.mkstemp(dir=self.directory, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(content)
            Path(aside).replace(path)
        except OSError:
            Path(aside).unlink(missing_ok=True)
            raise


def _head(choice: PluginChoice, context: ForecastContext, step_s: float) -> dict[str, object]:
    """What must be equal for a state to be used."""
    return {
        "format": FORMAT,
        "version": __version__,
        "forecaster": repr(choice),
        "step_s": step_s,
        "context": sha256(repr(context).encode()).hexdigest(),
    }


def _read_own(path: Path) -> bytes:
    """The content of a file that this user owns and nobody else may write. PermissionError otherwise."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise PermissionError("owned by another user")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError("others may write to it")
        return file.read()
