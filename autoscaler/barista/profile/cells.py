"""What was measured so far, kept cell by cell: an interrupted measurement goes on where it stopped.

A cell is one flavor under one load. Cells live in a directory of their own, named after everything that
was measured with, and go away once the profile is whole.
"""

import shutil
import time
import zlib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from barista.profile.noise import Machine

FRESH_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Cell:
    """Times (s) in the order in which they were taken, and what the machine said meanwhile."""

    times_s: tuple[float, ...]
    machine: Machine = Machine()
    memory_gib: float = 0.0
    kept_up: bool = True


_CELL = TypeAdapter(Cell)


class Cells:
    """The cells in `folder`; without one, nothing is kept. What is older than a day is not gone on with."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @staticmethod
    def beside(profiles: Path, effort: object) -> "Cells":
        """The cells of what will be the file `profiles`; another `effort` has cells of its own."""
        return Cells(profiles.with_suffix(f".{zlib.crc32(repr(effort).encode()):08x}.cells"))

    def get(self, name: str) -> Cell | None:
        """The cell `name`, if it was measured whole."""
        path = self._path(name)
        if path is None or not path.is_file() or time.time() - path.stat().st_mtime > FRESH_S:
            return None
        try:
            return _CELL.validate_json(path.read_bytes())
        except ValidationError:
            return None  # of another version: measured again

    def put(self, name: str, cell: Cell) -> Cell:
        """Keep `cell` under `name`, whole or not at all, and give it back."""
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".new")
            scratch.write_bytes(_CELL.dump_json(cell))
            scratch.replace(path)
        return cell

    def clear(self) -> None:
        """Forget all cells."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{name}.json"
