"""``python -m benchmarks.cluster`` on traces of the protocol's form, given by files."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cluster.__main__ import main

MINUTES = 20


def _written(folder: Path) -> tuple[Path, Path]:
    """A trace of two services that take turns in being busy, and two days of the same before it."""
    minutes = np.arange(MINUTES)
    day = np.stack(
        [np.where(minutes < MINUTES / 2, 600, 60), np.where(minutes < MINUTES / 2, 60, 600)], axis=1
    )
    trace, history = folder / "trace.csv", folder / "history.csv"
    rows = [f"{m},{a},{b}" for m, (a, b) in enumerate(day)]
    trace.write_text("\n".join(["minute,a,b", *rows]) + "\n")
    before = [f"{d},{row}" for d in (1, 2) for row in rows]
    history.write_text("\n".join(["day,minute,a,b", *before]) + "\n")
    return trace, history


def _ran(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["cluster", *map(str, arguments), "--workers", "1"])
    main()


def test_policies_stand_beside_each_other_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, history = _written(tmp_path)
    names = ["fairshare", "barista", "oracle", "oracle-admission"]
    of = ("--trace", trace, "--history", history, "--limit", 4, "--seeds", 1)
    _ran(monkeypatch, *of, "--policies", ",".join(names), "--json")
    policies = json.loads(capsys.readouterr().out)["policies"]
    assert list(policies) == names
    assert all(set(policy) == {"miss_pct", "lost_utility", "mean_replicas"} for policy in policies.values())
    assert policies["oracle"]["miss_pct"] < policies["fairshare"]["miss_pct"]
    assert policies["oracle-admission"]["miss_pct"] < policies["oracle"]["miss_pct"]


def test_a_history_of_other_services_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, history = _written(tmp_path)
    history.write_text(history.read_text().replace("day,minute,a,b", "day,minute,a,c"))
    with pytest.raises(SystemExit, match="2"):
        _ran(monkeypatch, "--trace", trace, "--history", history)
    assert "its services ['a', 'c'] are not those of" in capsys.readouterr().err
