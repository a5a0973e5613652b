"""What can go wrong in a run, said in one line; the exit code tells wrong input (2) from failed work (1)."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from barista.load.departures import NoTrace
from barista.models import BuildError, ModelError
from barista.platforms.local.agent import NotReady
from barista.platforms.local.process import StartError
from barista.platforms.local.prometheus import PrometheusError
from barista.profile.running import MeasureError
from barista.profile.store import ProfileError
from barista.report.records import RecordingError


class PlayError(Exception):
    """The trace could not be played to its end; the message says what failed and where to look."""


FAILED = (BuildError, MeasureError, NotReady, PlayError, StartError, PrometheusError, NoTrace, RecordingError)
WRONG_INPUT = (ModelError, ProfileError)


@contextmanager
def said_in_one_line(command: str) -> Iterator[None]:
    """Turn the errors that name thing, place and mend into that line and an exit code."""
    try:
        yield
    except (*FAILED, *WRONG_INPUT) as error:
        typer.echo(f"barista {command}: {error}", err=True)
        raise typer.Exit(1 if isinstance(error, FAILED) else 2) from error
