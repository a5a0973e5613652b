"""Our KPA against Knative's: the same random scenarios, decision by decision.

    python -m benchmarks.kpa_differential [--scenarios 250] [--looks 100] [--seed 0]

Constants, ready pods and means over the two windows are drawn at random, with gaps in the metrics. Each look
is put to the autoscaler of knative.dev/serving (tests/contract/kpa, Go) and to barista.policies.kpa; both
must say the same: whether they have an opinion, how many pods, and whether they panic. How means come of
samples is not compared: both get the means.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from barista.policies.kpa import KpaRules, KpaState, scale_to

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
    valid = [a for a, _ in pairs if a["valid"]]
    panics = sum(bool(a["panic"]) for a in valid)
    stable, blind = len(valid) - panics, len(pairs) - len(valid)
    print(f"{len(scenarios)} scenarios, {len(pairs)} decisions: {panics} in panic, {stable} stable,", end=" ")
    print(f"{blind} without an opinion; {len(different)} differ")
    for a, b in different[:5]:
        print(f"knative {a}, barista {b}")
    return 1 if different else 0


def draw(scenarios: int, looks: int, seed: int) -> list[Scenario]:
    """Random scenarios of `looks` each, with the fields that the Go program reads."""
    rng = np.random.default_rng(seed)
    return [_scenario(rng, looks) for _ in range(scenarios)]


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
    answers: list[Answer] = []
    for look in scenario["looks"]:  # type: ignore[attr-defined]  # a list of looks
        if not look["seen"]:
            answers.append({"pods": 0, "valid": False, "panic": False})
            continue
        opinion, state = scale_to(look["stable"], look["panic"], state, look["ready"], look["at_s"], rules)
        answers.append({"pods": opinion.pods, "valid": True, "panic": state.panic_at_s is not None})
    return answers


def _scenario(rng: np.random.Generator, looks: int) -> Scenario:
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
            }
        )
    return {
        "target": target,
        "stable_window_s": float(rng.choice([6, 30, 60, 60, 120, 600])),
        "panic_threshold": float(rng.choice([1.1, 1.5, 2.0, 2.0, 3.0, 10.0])),
        "max_scale_up_rate": float(rng.choice([1.1, 2.0, 10.0, 1000.0, 1000.0])),
        "max_scale_down_rate": float(rng.choice([1.1, 2.0, 2.0, 5.0])),
        "activation_scale": int(rng.choice([1, 1, 2, 5])),
        "ready": start,
        "looks": rows,
    }


if __name__ == "__main__":
    sys.exit(main())
