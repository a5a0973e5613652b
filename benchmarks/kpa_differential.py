"""Our KPA against Knative's: the same random scenarios, decision by decision.

    python -m benchmarks.kpa_differential [--scenarios 250] [--looks 100] [--seed 0]

Constants, ready pods and load are drawn at random, with gaps in the metrics. Each look is put to the code of
knative.dev/serving (tests/contract/kpa, Go) and to barista.policies; both must say the same. In a third of
the scenarios both get the means over the two windows, in a third the reports that they make the means of
themselves: compared are whether there is an opinion, how many pods, and whether it panics. In the last third
no pod may be wanted: compared is what bounds, grace period and retention leave of the pods.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from barista.policies.buckets import Buckets
from barista.policies.kpa import KpaRules, KpaState, scale
from barista.policies.zero import Since, Standing, ZeroRules, bounded

PROGRAM = Path(__file__).parents[1] / "tests" / "contract" / "kpa"

Scenario = dict[str, object]
Answer = dict[str, object]


def main() -> int:
    """Prints how many decisions were compared, of which kinds; 1 where any differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenarios", type=int, default=250)
    parser.add_argument("--looks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scenarios = draw(given.scenarios, given.looks, given.seed)
    theirs, ours = knatives(scenarios), [barista(scenario) for scenario in scenarios]
    pairs = [pair for a, b in zip(theirs, ours, strict=True) for pair in zip(a, b, strict=True)]
    different = [pair for pair in pairs if pair[0] != pair[1]]
    lasts = [a for a, _ in pairs if "applied" in a]
    looks = [a for a, _ in pairs if "valid" in a]
    panics = sum(bool(a["panic"]) for a in looks if a["valid"])
    blind = sum(not a["valid"] for a in looks)
    print(f"{len(scenarios)} scenarios, {len(pairs)} decisions: {panics} in panic,", end=" ")
    print(f"{len(looks) - blind - panics} stable, {blind} without an opinion,", end=" ")
    print(
        f"{sum(not a['applied'] for a in lasts)} of {len(lasts)} on the last pods left as they are;", end=" "
    )
    print(f"{len(different)} differ")
    for a, b in different[:5]:
        print(f"knative {a}, barista {b}")
    return 1 if different else 0


def draw(scenarios: int, looks: int, seed: int) -> list[Scenario]:
    """Random scenarios of `looks` each, with the fields that the Go program reads."""
    rng = np.random.default_rng(seed)
    kinds = (_told_means, _told_reports, _lasts)
    return [kinds[number % len(kinds)](rng, looks) for number in range(scenarios)]


def knatives(scenarios: list[Scenario]) -> list[list[Answer]]:
    """What Knative's autoscaler answers to each look of each scenario. Needs Go."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder, "kpa")
        subprocess.run(["go", "build", "-o", str(binary), "."], cwd=PROGRAM, check=True)
        lines = "\n".join(json.dumps(scenario) for scenario in scenarios)
        done = subprocess.run([binary], input=lines, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def barista(scenario: Scenario) -> list[Answer]:
    """What our rules answer to each look of the scenario."""
    if "lasts" in scenario:
        return [_kept(**last) for last in scenario["lasts"]]  # type: ignore[attr-defined]  # a list of looks
    names = (
        "target",
        "stable_window_s",
        "panic_threshold",
        "max_scale_up_rate",
        "max_scale_down_rate",
        "activation_scale",
    )
    rules = KpaRules(**{name: scenario[name] for name in names})  # type: ignore[arg-type]  # drawn as such
    state = KpaState.starting(int(str(scenario["ready"])), 0.0)
    windows = [Buckets(float(str(scenario[name]))) for name in ("stable_window_s", "panic_window_s")]
    answers: list[Answer] = []
    for look in scenario["looks"]:  # type: ignore[attr-defined]  # a list of looks
        at_s, means = look["at_s"], (look["stable"], look["panic"])
        for report, window in product(look["reports"], windows):
            window.record(report["at_s"], report["value"])
        if not look["seen"]:
            if windows[0].is_empty(at_s):
                answers.append({"pods": 0, "valid": False, "panic": False})
                continue
            means = (windows[0].mean(at_s), windows[1].mean(at_s))
        opinion, state = scale(*means, state, look["ready"], at_s, rules)
        answers.append({"pods": opinion.pods, "valid": True, "panic": state.panic_at_s is not None})
    return answers


def _kept(wanted: int, min: int, max: int, standing: str, lasted_s: float, **constants: Any) -> Answer:
    within = wanted if wanted >= min else min
    within = within if max == 0 or within <= max else max
    kept = bounded(within, Since(Standing(standing), 0.0), lasted_s, ZeroRules(**constants))
    return {"pods": kept, "applied": kept is not None}


def _told_means(rng: np.random.Generator, looks: int) -> Scenario:
    """Load in random regimes of a few looks each, and pods that mostly follow it."""
    target = float(rng.choice([0.5, 0.7, 1.0, 2.1, 7.0, 70.0, rng.uniform(0.1, 100)]))
    # Quarters of a second are exact on both sides.
    at_s = np.cumsum(rng.choice([0.25, 1.0, 2.0, 2.0, 2.0, 10.0], looks))
    level, ready, rows = float(rng.uniform(0, 20)), int(rng.choice([0, 1, 2, 5, 20, 100])), []
    start = ready
    for now_s in at_s:
        if rng.random() < 0.1:
            level = float(rng.choice([0.0, rng.uniform(0, 5), rng.uniform(0, 300)]))
        if rng.random() < 0.3:
            ready = max(0, int(level + rng.integers(-3, 4)))
        # Whole multiples of the target are where rounding up could differ.
        exact = rng.random() < 0.3
        stable, panic = (
            target * float(np.floor(mean) if exact else mean) for mean in level * rng.lognormal(0, 0.4, 2)
        )
        rows.append(
            {
                "at_s": float(now_s),
                "ready": ready,
                "seen": bool(rng.random() > 0.05),
                "stable": stable,
                "panic": panic,
                "reports": [],
            }
        )
    return {"target": target, "ready": start, "looks": rows, **_constants(rng)}


def _told_reports(rng: np.random.Generator, looks: int) -> Scenario:
    """Load in random regimes, reported every second but for gaps, some as long as a window."""
    scenario = _told_means(rng, looks)
    silent_until_s, second, level = -1.0, 0, float(rng.uniform(0, 20))
    for look in scenario["looks"]:  # type: ignore[attr-defined]  # a list of looks
        look["seen"] = False
        while second <= look["at_s"]:
            if rng.random() < 0.02:
                level = float(rng.choice([0.0, rng.uniform(0, 5), rng.uniform(0, 300)]))
                silent_until_s = second + float(rng.choice([0, 0, 2, 7, 70, 700]))
            if second >= silent_until_s:
                # Quarters of a request are exact, so that sums in whatever order are equal.
                value = float(np.floor(4 * level * rng.lognormal(0, 0.4)) / 4)
                look["reports"].append({"at_s": float(second), "value": value})
            second += 1
    return scenario


def _lasts(rng: np.random.Generator, looks: int) -> Scenario:
    """Pods wanted, mostly none, by services that have stood as they do for a while."""
    return {"lasts": [_last(rng) for _ in range(looks)]}


def _last(rng: np.random.Generator) -> Scenario:
    lower = int(rng.choice([0, 0, 0, 1, 3]))
    return {
        "wanted": int(rng.choice([0, 0, 0, 1, 5])),
        "min": lower,
        "max": int(rng.choice([0, 0, lower + 1, lower + 3])),
        "standing": str(rng.choice(["activating", "active", "inactive"])),
        # Never right at a constant: time passes while Knative decides.
        "lasted_s": float(rng.integers(0, 140)) + 0.5,
        "enabled": bool(rng.random() > 0.1),
        "stable_window_s": float(rng.choice([6, 30, 60, 60, 120])),
        "grace_s": float(rng.choice([0, 30, 30, 90])),
        "retention_s": float(rng.choice([0, 0, 10, 60, 120])),
    }


def _constants(rng: np.random.Generator) -> Scenario:
    stable_s = float(rng.choice([6, 30, 60, 60, 120, 600]))
    return {
        "stable_window_s": stable_s,
        "panic_window_s": max(1.0, float(rng.choice([0.05, 0.1, 0.1, 0.5, 1.0])) * stable_s),
        "panic_threshold": float(rng.choice([1.1, 1.5, 2.0, 2.0, 3.0, 10.0])),
        "max_scale_up_rate": float(rng.choice([1.1, 2.0, 10.0, 1000.0, 1000.0])),
        "max_scale_down_rate": float(rng.choice([1.1, 2.0, 2.0, 5.0])),
        "activation_scale": int(rng.choice([1, 1, 2, 5])),
    }


if __name__ == "__main__":
    sys.exit(main())
