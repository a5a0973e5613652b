"""Execution profiles on disk: a YAML file that people can read, compare and correct.

One file holds profiles measured on one machine at one time. What was measured with is part of a
cached profile's identity: the same archive on another machine, or on a flavor with another cpu, is
measured again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile, Fit, Interval

VERSION = 2
HEADER = "# Execution profiles: times in seconds, by quantile; memory in GiB. Made by `barista profile`.\n"


class ProfileError(Exception):
    """A profile file is wrong or missing; the message names the place and the mend."""


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """Profiles with where and when they were measured (`measured`: ISO date, as the caller gives it)."""

    profiles: tuple[ExecutionProfile, ...]
    machine: str = ""
    measured: str = ""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Times(_Strict):
    mean: float = Field(ge=0)
    quantiles: dict[float, float] = Field(min_length=1)

    def value(self) -> Distribution:
        levels = tuple(sorted(self.quantiles))
        return Distribution(levels, tuple(self.quantiles[level] for level in levels), self.mean)


class _Bounds(_Strict):
    low: float = Field(ge=0)
    high: float = Field(ge=0)


class _Fit(_Strict):
    family: str
    parameters: dict[str, float]
    ks: float
    ad: float

    def value(self) -> Fit:
        return Fit(self.family, tuple(self.parameters.items()), self.ks, self.ad)


class _Profile(_Strict):
    model: str
    flavor: str
    workers: int = Field(ge=1)
    requests: int = Field(0, ge=0)
    memory_gib: float = Field(0.0, ge=0)
    saturation_rps: float | None = Field(None, gt=0)
    dispersion: float = Field(1.0, ge=0)
    ahead_s: float = 0.0
    service_time_s: _Times
    bounds_s: dict[float, _Bounds] = Field(default_factory=dict)
    fit: _Fit | None = None
    by_concurrency_s: dict[int, _Times] = Field(default_factory=dict)
    setup_time_s: _Times

    def value(self) -> ExecutionProfile:
        return ExecutionProfile(
            model=self.model,
            flavor=self.flavor,
            service_time=self.service_time_s.value(),
            setup_time=self.setup_time_s.value(),
            memory_gib=self.memory_gib,
            workers=self.workers,
            requests=self.requests,
            by_concurrency=tuple((n, times.value()) for n, times in sorted(self.by_concurrency_s.items())),
            intervals=tuple(
                Interval(level, bounds.low, bounds.high) for level, bounds in sorted(self.bounds_s.items())
            ),
            fit=self.fit.value() if self.fit is not None else None,
            saturation_rps=self.saturation_rps,
            dispersion=self.dispersion,
            ahead_s=self.ahead_s,
        )


class _File(_Strict):
    version: int
    machine: str = ""
    measured: str = ""
    profiles: list[_Profile]


def write_profiles(
    path: Path, profiles: Iterable[ExecutionProfile], *, machine: str = "", measured: str = ""
) -> None:
    """Write `profiles` to `path`, whole or not at all, making its directory where needed."""
    document = {
        "version": VERSION,
        "machine": machine,
        "measured": measured,
        "profiles": [_document(profile) for profile in profiles],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(HEADER + yaml.safe_dump(document, sort_keys=False, width=100))
    scratch.replace(path)


def read_profiles(path: Path) -> tuple[ExecutionProfile, ...]:
    """The profiles stored at `path`. ProfileError says what is wrong, and where."""
    return read_profile_file(path).profiles


def read_profile_file(path: Path) -> ProfileFile:
    """The profiles stored at `path` with machine and date. ProfileError says what is wrong, and where."""
    document = _load(path)
    version = document.get("version", VERSION) if isinstance(document, dict) else VERSION
    if version != VERSION:
        raise ProfileError(f"{path}: version {version}: this barista reads version {VERSION}; measure again")
    try:
        parsed = _File.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top"
        raise ProfileError(f"{path}: {where}: {first['msg']}") from error
    return ProfileFile(tuple(_values(path, parsed.profiles)), parsed.machine, parsed.measured)


def cache_path(
    model: str,
    archive: Path,
    flavors: Sequence[Flavor],
    workers: int,
    machine: str,
    cache: Path | None = None,
) -> Path:
    """Where the profiles of `model` on `flavors` (one family) and `machine` are kept.

    Below `cache`, by default ~/.cache/barista/profiles. Another content of the archive, another cpu
    of a flavor, another number of workers or another machine makes another path.
    """
    digest = hashlib.sha256(f"{VERSION}\0{machine}\0{model}\0{workers}\0".encode())
    for flavor in sorted(flavors, key=lambda f: f.name):
        digest.update(f"{flavor.name} {flavor.family} {flavor.cpu:g}\0".encode())
    with archive.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    folder = cache or Path.home() / ".cache" / "barista" / "profiles"
    return folder / f"{model}-{digest.hexdigest()[:12]}.yaml"


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise ProfileError(
            f"{path}: cannot be read: {error.strerror or error}; `barista profile -o {path}` makes it"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ProfileError(f"{path}: not YAML{where}: {getattr(error, 'problem', error)}") from error


def _values(path: Path, profiles: Sequence[_Profile]) -> Iterable[ExecutionProfile]:
    seen: set[tuple[str, str]] = set()
    for profile in profiles:
        if (profile.model, profile.flavor) in seen:
            raise ProfileError(
                f"{path}: model {profile.model!r} on flavor {profile.flavor!r}: given twice: remove one"
            )
        seen.add((profile.model, profile.flavor))
        try:
            yield profile.value()
        except ValueError as error:
            raise ProfileError(
                f"{path}: model {profile.model!r} on flavor {profile.flavor!r}: {error}"
            ) from error


def _document(profile: ExecutionProfile) -> dict[str, Any]:
    document: dict[str, Any] = {
        "model": profile.model,
        "flavor": profile.flavor,
        "workers": profile.workers,
        "requests": profile.requests,
        "memory_gib": round(profile.memory_gib, 3),
        "service_time_s": _times(profile.service_time),
        "setup_time_s": _times(profile.setup_time),
    }
    if profile.saturation_rps is not None:
        document["saturation_rps"] = round(profile.saturation_rps, 3)
    if profile.dispersion != 1:
        document["dispersion"] = round(profile.dispersion, 4)
    if profile.ahead_s:
        document["ahead_s"] = round(profile.ahead_s, 6)
    if profile.intervals:
        document["bounds_s"] = {
            one.level: {"low": round(one.low_s, 6), "high": round(one.high_s, 6)} for one in profile.intervals
        }
    if profile.fit is not None:
        fit = profile.fit
        parameters = {name: round(value, 6) for name, value in fit.parameters}
        document["fit"] = {
            "family": fit.family,
            "parameters": parameters,
            "ks": round(fit.ks, 4),
            "ad": round(fit.ad, 3),
        }
    if profile.by_concurrency:
        document["by_concurrency_s"] = {n: _times(times) for n, times in profile.by_concurrency}
    return document


def _times(distribution: Distribution) -> dict[str, Any]:
    quantiles = zip(distribution.levels, distribution.values_s, strict=True)
    return {
        "mean": round(distribution.mean_s, 6),
        "quantiles": {level: round(value, 6) for level, value in quantiles},
    }
