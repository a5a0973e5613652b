"""``python -m benchmarks.cluster``: policies beside each other on the shared cluster, the same for all.

`barista` forecasts and divides; `oracle` is it when told the rates of the trace. With admission control the
head queues' bound is changed besides, one for all and for good, to that with the fewest misses of a service
alone: in `…-admission` down to no head queue at all (who finds no place at a replica is refused), in
`…-admission-from-0` down to the protocol's own rule with 0 in place of 50 (one may wait, another is in the
dispatcher's hand).
"""

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cluster.alone import best_limit, missed_alone
from benchmarks.cluster.barista import Barista
from benchmarks.cluster.outlook import Forecaster, Forecasts, Foresight
from benchmarks.cluster.pods import Cluster
from benchmarks.cluster.queueing import HEAD_LIMIT, NO_HEAD_QUEUE, Floats
from benchmarks.cluster.reactive import Reactive, in_proportion, one_by_one
from benchmarks.cluster.replay import Outcome, Policy, replay
from benchmarks.cluster.trace import MINUTE_S, Case, WrongTrace, read_case

BENCH = Path(__file__).parents[2].parent / "shared" / "bench" / "cluster"
LEAST_LIMITS = {"": HEAD_LIMIT, "-admission": NO_HEAD_QUEUE, "-admission-from-0": 0}
"""From where on the head queue's bound may be chosen, by how the name of the policy ends."""
LOOKING_AHEAD = tuple(who + ending for who in ("barista", "oracle") for ending in LEAST_LIMITS)
POLICIES = ("fairshare", "oneshot", "aiad", *LOOKING_AHEAD)
SEEDS = (42, 24, 32, 40, 62)
"""The protocol's, its reference seed first."""


@dataclass(frozen=True, slots=True)
class Job:
    """One replay: which policy, which limit, which seed."""

    policy: str
    limit: int
    seed: int


@dataclass(frozen=True, slots=True)
class Known:
    """What policies are told before.

    `limits` are head queues' bounds by policy, `tables` misses of a service alone by bound, `quantiles`
    forecasts by seed.
    """

    limits: dict[str, int]
    tables: dict[int, Floats]
    quantiles: dict[int, Floats]


def main() -> None:
    """Replay, print."""
    asked = _arguments()
    try:
        case = read_case(asked.trace, asked.history)
    except WrongTrace as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
    seeds = SEEDS[: asked.seeds]
    jobs = [Job(policy, limit, seed) for limit in asked.limit for policy in asked.policies for seed in seeds]
    with ProcessPoolExecutor(asked.workers) as workers:
        known = _known(case, asked.policies, list(seeds), workers)
        outcomes = list(workers.map(partial(_outcome, case, known), jobs))
    for limit in asked.limit:
        means = {
            policy: _mean(
                [
                    o
                    for o, job in zip(outcomes, jobs, strict=True)
                    if (job.policy, job.limit) == (policy, limit)
                ]
            )
            for policy in asked.policies
        }
        if asked.json:
            print(
                json.dumps({"limit": limit, "policies": {name: asdict(mean) for name, mean in means.items()}})
            )
        else:
            _show(limit, means, asked.seeds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--trace", type=Path, default=BENCH / "requests_per_minute.csv")
    parser.add_argument("--history", type=Path, default=BENCH / "history_per_minute.csv")
    parser.add_argument("--limit", type=_numbers, default=[36], help="total of replicas; several: 36,32,16")
    parser.add_argument("--policies", type=_policies, default=list(POLICIES), help=",".join(POLICIES))
    parser.add_argument("--seeds", type=int, choices=range(1, len(SEEDS) + 1), default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _policies(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in POLICIES]:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)}: no such policy; known: {', '.join(POLICIES)}"
        )
    return names


def _known(case: Case, policies: list[str], seeds: list[int], workers: ProcessPoolExecutor) -> Known:
    ahead = [policy for policy in policies if policy in LOOKING_AHEAD]
    limits = dict(zip(ahead, workers.map(_limit, ahead), strict=True))
    used, most_rps = set(limits.values()), case.trace.max() / MINUTE_S * 1.5
    tables = dict(zip(used, workers.map(partial(missed_alone, most_rps=most_rps), used), strict=True))
    if not any(policy.startswith("barista") for policy in ahead):
        return Known(limits, tables, {})
    histories = [case.history[:, k] for k in range(case.history.shape[1])]
    fitted = list(workers.map(partial(Forecaster.fitted, day_minutes=case.day_minutes), histories))
    rolled = workers.map(partial(_rolled, case, fitted), seeds)
    return Known(limits, tables, dict(zip(seeds, rolled, strict=True)))


def _rolled(case: Case, fitted: list[Forecaster], seed: int) -> Floats:
    arrivals = case.arrivals_s(seed)
    pairs = zip(fitted, arrivals, strict=True)
    return np.stack([forecaster.rolled(sent, len(case.trace)) for forecaster, sent in pairs])


def _outcome(case: Case, known: Known, job: Job) -> Outcome:
    arrivals = case.arrivals_s(job.seed)
    first = job.limit // len(arrivals) if job.policy == "fairshare" else 1
    return replay(arrivals, job.limit, first, case.seconds, job.seed, _policy(case, known, arrivals, job))


def _policy(case: Case, known: Known, arrivals: list[Floats], job: Job) -> Callable[[Cluster], Policy | None]:
    if job.policy == "fairshare":
        return lambda _: None
    if job.policy in ("oneshot", "aiad"):
        wish = in_proportion if job.policy == "oneshot" else one_by_one
        return lambda cluster: Reactive(cluster, wish)
    foresight = job.policy.startswith("oracle")
    sight = Foresight(case) if foresight else Forecasts(known.quantiles[job.seed], arrivals, case.seconds)
    limit = known.limits[job.policy]
    return lambda cluster: Barista(cluster, sight.seen, known.tables[limit], limit)


def _limit(policy: str) -> int:
    least = LEAST_LIMITS[policy.removeprefix("barista").removeprefix("oracle")]
    return HEAD_LIMIT if least == HEAD_LIMIT else best_limit(least)


def _mean(outcomes: list[Outcome]) -> Outcome:
    rows = np.array([[o.miss_pct, o.lost_utility, o.mean_replicas] for o in outcomes])
    return Outcome(*rows.mean(axis=0).tolist())


def _show(limit: int, means: dict[str, Outcome], seeds: int) -> None:
    print(f"\n{limit} replicas in all, mean of {seeds} seeds")
    print(f"{'policy':26}{'misses %':>10}{'lost utility':>14}{'replicas':>10}")
    for name, mean in means.items():
        print(f"{name:26}{mean.miss_pct:10.2f}{mean.lost_utility:14.2f}{mean.mean_replicas:10.1f}")


if __name__ == "__main__":
    main()
