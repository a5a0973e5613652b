"""`barista profile`: measures execution profiles and writes them to a file."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from barista.models import build_models
from barista.settings import Settings, SettingsError, load_settings
from barista.values.flavor import Flavor
from barista.values.profile import ExecutionProfile

if TYPE_CHECKING:
    from barista.profile.measure import Subject

WIDTH = 160
"""Columns of the table, also where the terminal has fewer."""


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement: a model on the flavors of one family."""

    subject: "Subject"
    flavors: tuple[Flavor, ...]
    workers: int


def register(app: typer.Typer) -> None:
    """Add the command `profile` to `app`."""
    app.command("profile")(profile)


def profile(
    services: Annotated[
        Path | None, typer.Argument(metavar="[SERVICES.yaml]", help="Measure every service's model.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Or one model: its name in the store.")] = None,
    archive: Annotated[Path | None, typer.Option(help="Its archive, when it is not of the store.")] = None,
    sample: Annotated[Path | None, typer.Option(help="A request body, to go with --archive.")] = None,
    content_type: Annotated[str, typer.Option(help="Content type of --sample.")] = "application/json",
    flavor: Annotated[
        list[str] | None, typer.Option(metavar="NAME=CPU", help="To go with --model; of one family.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "profiles.yaml"
    ),
    requests: Annotated[int, typer.Option(min=1, help="Most requests per flavor.")] = 200,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time per flavor (at least 30 requests).")] = 6.0,
    starts: Annotated[int, typer.Option(min=1, help="Server starts to measure set-up time by.")] = 2,
    ramp: Annotated[bool, typer.Option(help="Load it faster and faster until it falls behind.")] = True,
    accept_noise: Annotated[bool, typer.Option(help="Keep times that the machine disturbed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure service times, set-up time and memory of models on flavors, on real servers.

    Interrupted, it goes on where it stopped when it is started again.
    """
    from barista.cli.failures import said_in_one_line
    from barista.platforms.local.cgroups import CpuLimiter
    from barista.platforms.local.torchserve import TorchServe
    from barista.profile.cells import Cells
    from barista.profile.measure import Effort, machine_note, measure_profile
    from barista.profile.store import cache_path, write_profiles

    effort = Effort(
        starts=starts, requests=requests, seconds=seconds, ramp=ramp, refuse_noise=not accept_noise
    )
    console = Console(stderr=True)
    server, machine = TorchServe(), machine_note()
    profiles: list[ExecutionProfile] = []
    begun: list[Cells] = []
    with said_in_one_line("profile"), console.status("profiling") as status:
        if services is not None and model is None:
            tasks = list(_of_settings(load_settings(services), sample, content_type, status.update))
        elif model is not None and services is None:
            one = _subject(model, archive, sample, content_type, status.update)
            tasks = [_of_options(one, flavor or [])]
        else:
            raise SettingsError("profile: name either SERVICES.yaml or --model")
        for task in tasks:
            path = cache_path(task.subject.model, task.subject.archive, task.flavors, task.workers, machine)
            begun.append(Cells.beside(path, effort))
            profiles += measure_profile(
                server, task.subject, task.flavors, CpuLimiter, effort, task.workers, status.update, begun[-1]
            )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_profiles(output, profiles, machine=machine, measured=now)
    for cells in begun:
        cells.clear()
    _print(profiles, as_json)
    console.print(f"written: {output}")


def _of_options(subject: "Subject", flavors: Sequence[str]) -> Task:
    if not flavors:
        raise SettingsError("--model without --flavor: name at least one, e.g. --flavor cpu-1=1")
    parsed = tuple(_flavor(text) for text in flavors)
    return Task(subject, parsed, max(1, math.ceil(max(flavor.cpu for flavor in parsed))))


def _flavor(text: str) -> Flavor:
    name, _, cpu = text.partition("=")
    try:
        cores = float(cpu)
    except ValueError:
        cores = 0.0
    if not name or not 0 < cores < math.inf:
        raise SettingsError(f"--flavor {text!r}: need NAME=CPU with cpu above 0, e.g. cpu-1=1")
    return Flavor(name, pool="", cpu=cores, memory_gib=0.0, cost_per_hour=0.0, family="measured")


def _of_settings(
    settings: Settings, sample: Path | None, content_type: str, progress: Callable[[str], None]
) -> Iterator[Task]:
    """One task for each model and each family of the flavors that its services may use."""
    catalogue = settings.catalogue()
    used: dict[str, set[str]] = {}
    archives: dict[str, Path | None] = {}
    for service in settings.services:
        used.setdefault(service.model, set()).update(settings.resolve(service).flavors)
        archives[service.model] = archives.get(service.model) or service.archive
    for model, names in used.items():
        subject = _subject(model, archives[model], sample, content_type, progress)
        flavors = [flavor for flavor in catalogue.flavors.values() if flavor.name in names]
        for family in dict.fromkeys(flavor.family for flavor in flavors):
            members = tuple(flavor for flavor in flavors if flavor.family == family)
            yield Task(subject, members, catalogue.workers(members[0].name))


def _subject(
    model: str, archive: Path | None, sample: Path | None, content_type: str, progress: Callable[[str], None]
) -> "Subject":
    from barista.profile.measure import Subject

    if archive is None:
        built = build_models([model], progress=progress)[model]
        return Subject(model, built.archive, built.body(), built.content_type)
    if sample is None:
        raise SettingsError(
            f"model {model!r}: archive {archive} comes without a request: give one by --sample"
        )
    for file in (archive, sample):
        if not file.is_file():
            raise SettingsError(f"model {model!r}: {file}: no such file")
    return Subject(model, archive.resolve(), sample.read_bytes(), content_type)


def _within(profile: ExecutionProfile, level: float) -> str:
    """The bounds of a percentile in milliseconds; nothing where too few requests were measured."""
    bounds = [one for one in profile.intervals if one.level == level]
    return f"{bounds[0].low_s * 1000:.1f}-{bounds[0].high_s * 1000:.1f}" if bounds else ""


def _print(profiles: Sequence[ExecutionProfile], as_json: bool) -> None:
    rows = [
        {
            "model": profile.model,
            "flavor": profile.flavor,
            "requests": profile.requests,
            "mean_ms": round(profile.service_time.mean_s * 1000, 1),
            "p50_ms": round(profile.service_time.quantile(0.5) * 1000, 1),
            "p95_ms": round(profile.service_time.quantile(0.95) * 1000, 1),
            "p95_within_ms": _within(profile, 0.95),
            "fit": profile.fit.family if profile.fit else "",
            "ks": round(profile.fit.ks, 3) if profile.fit else "",
            "dispersion": round(profile.dispersion, 2),
            "ahead_ms": round(profile.ahead_s * 1000, 1),
            "keeps_up_rps": round(profile.saturation_rps, 2) if profile.saturation_rps else "",
            "setup_s": round(profile.setup_time.mean_s, 1),
            "memory_gib": round(profile.memory_gib, 2),
        }
        for profile in profiles
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(*(rows[0] if rows else ()), box=None)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console = Console()
    Console(width=max(console.width, WIDTH)).print(table)
