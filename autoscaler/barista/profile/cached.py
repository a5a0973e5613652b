"""Profiles measured once and kept: the same archive on the same machine is not measured again."""

from collections.abc import Callable, Sequence
from pathlib import Path

from barista.ports.model_server import ModelServer
from barista.profile.cells import Cells
from barista.profile.measure import Effort, Subject, machine_note, measure_profile
from barista.profile.running import CpuQuota
from barista.profile.store import ProfileError, cache_path, read_profiles, write_profiles
from barista.values.flavor import Flavor
from barista.values.profile import ExecutionProfile


def cached_profiles(
    server: ModelServer,
    subject: Subject,
    flavors: Sequence[Flavor],
    quota: Callable[[], CpuQuota],
    *,
    workers: int,
    measured: str,
    effort: Effort | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[ExecutionProfile, ...]:
    """Profiles of `subject` on `flavors` (one family), from the cache or measured now and kept there.

    `workers` is the number of the family's model workers, `measured` the date to note. A cache file that
    cannot be read is measured anew. Raises what `measure_profile` raises.
    """
    machine = f"{machine_note()}, {server.name} {server.version()}"
    path = cache_path(subject.model, subject.archive, flavors, workers, machine, cache)
    if path.is_file():
        try:
            kept = read_profiles(path)
        except ProfileError as error:
            progress(f"{subject.model}: {error}; measuring again")
        else:
            progress(f"{subject.model}: measured before ({path})")
            return kept
    cells = Cells.beside(path, effort)
    profiles = measure_profile(server, subject, flavors, quota, effort, workers, progress, cells)
    write_profiles(path, profiles, machine=machine, measured=measured)
    cells.clear()
    return tuple(profiles)
