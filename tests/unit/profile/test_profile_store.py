"""Execution profiles on disk: what is written is read back, and a wrong file says where it is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from core_world import CATALOGUE, PROFILES
from hypothesis import given
from hypothesis import strategies as st

from barista.profile.store import (
    ProfileError,
    cache_path,
    read_profile_file,
    read_profiles,
    write_profiles,
)
from barista.values.profile import Distribution, ExecutionProfile, Fit, Interval

times = st.lists(st.floats(0, 1e4), min_size=1, max_size=30).map(Distribution.of)


@given(times, times, st.integers(1, 8))
def test_profiles_are_read_back_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory, service: Distribution, setup: Distribution, workers: int
) -> None:
    path = tmp_path_factory.mktemp("store") / "profiles.yaml"
    written = ExecutionProfile("net", "small", service, setup, memory_gib=0.5, workers=workers, requests=40)
    write_profiles(path, [written, PROFILES["large"]])
    read, other = read_profiles(path)
    assert other == PROFILES["large"]
    assert (read.workers, read.requests, read.memory_gib) == (workers, 40, 0.5)
    for before, after in ((service, read.service_time), (setup, read.setup_time)):
        assert after.levels == before.levels
        assert after.values_s == pytest.approx(before.values_s, abs=1e-6)
        assert after.mean_s == pytest.approx(before.mean_s, abs=1e-6)


def test_everything_that_was_measured_is_read_back(tmp_path: Path) -> None:
    alone = Distribution((0.0, 1.0), (0.1, 0.2), 0.15)
    written = ExecutionProfile(
        "net",
        "small",
        Distribution((0.0, 0.5, 1.0), (0.1, 0.2, 0.4), 0.22),
        Distribution.constant(2.0),
        workers=2,
        by_concurrency=((1, alone), (2, Distribution((0.0, 0.5, 1.0), (0.1, 0.2, 0.4), 0.22))),
        intervals=(Interval(0.5, 0.19, 0.21), Interval(0.95, 0.3, 0.38)),
        fit=Fit("gamma", (("shape", 4.0), ("scale_s", 0.05)), 0.03, 0.4),
        saturation_rps=8.5,
    )
    write_profiles(tmp_path / "profiles.yaml", [written])
    assert read_profiles(tmp_path / "profiles.yaml") == (written,)
    assert written.service_time_at(1.5).mean_s == pytest.approx((0.15 + 0.22) / 2)
    assert written.service_time_at(0.3) == alone
    assert written.service_time_at(5) == written.service_time


def test_where_and_when_it_was_measured_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "profiles.yaml"
    write_profiles(path, PROFILES.values(), machine="two cores", measured="2026-01-31")
    found = read_profile_file(path)
    assert (found.machine, found.measured) == ("two cores", "2026-01-31")
    assert found.profiles == tuple(PROFILES.values())
    assert [p.name for p in path.parent.iterdir()] == ["profiles.yaml"]
    assert path.read_text().startswith("# Execution profiles: times in seconds")


def damaged(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = tmp_path / "profiles.yaml"
    write_profiles(path, [PROFILES["small"]])
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(version=1, shape="old"),
            "version 1: this barista reads version 2; measure again",
        ),
        (lambda d: d.pop("profiles"), "profiles: Field required"),
        (lambda d: d["profiles"][0].update(workers=0), "profiles.0.workers: Input should be greater than"),
        (lambda d: d["profiles"][0].update(colour=1), "profiles.0.colour: Extra inputs"),
        (lambda d: d["profiles"].append(d["profiles"][0]), "on flavor 'small': given twice: remove one"),
        (
            lambda d: d["profiles"][0]["service_time_s"]["quantiles"].update({0.0: 1.0, 1.0: 0.5}),
            "model 'net' on flavor 'small': distribution: values_s must not fall",
        ),
        (
            lambda d: d["profiles"][0]["service_time_s"].update(quantiles={95: 0.5}),
            "model 'net' on flavor 'small': distribution: levels are fractions from 0 to 1",
        ),
    ],
)
def test_a_wrong_file_says_where_it_is_wrong(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = damaged(tmp_path, change)
    with pytest.raises(ProfileError) as caught:
        read_profiles(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory; `barista profile -o"),
        ("profiles: [", "not YAML at line 1"),
        ("3", "top: Input should be a valid dictionary"),
    ],
)
def test_a_file_that_holds_no_profiles_says_so(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "profiles.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProfileError) as caught:
        read_profiles(path)
    assert message in str(caught.value)


def test_another_content_cpu_number_of_workers_or_machine_is_measured_again(tmp_path: Path) -> None:
    archive, other = tmp_path / "net.mar", tmp_path / "other.mar"
    archive.write_bytes(b"weights")
    other.write_bytes(b"other weights")
    small, medium = CATALOGUE.flavor("small"), CATALOGUE.flavor("medium")
    same = cache_path("net", archive, [small, medium], 2, "here", tmp_path)
    assert cache_path("net", archive, [medium, small], 2, "here", tmp_path) == same
    assert same.parent == tmp_path
    others = {
        cache_path("net", other, [small, medium], 2, "here", tmp_path),
        cache_path("net", archive, [replace(small, cpu=0.9), medium], 2, "here", tmp_path),
        cache_path("net", archive, [small], 2, "here", tmp_path),
        cache_path("net", archive, [small, medium], 1, "here", tmp_path),
        cache_path("net", archive, [small, medium], 2, "there", tmp_path),
        cache_path("ten", archive, [small, medium], 2, "here", tmp_path),
    }
    assert len(others - {same}) == 6
    archive.write_bytes(b"weights")
    assert cache_path("net", archive, [small, medium], 2, "here", tmp_path) == same
