"""What came of a backtest: each policy's figures, over seeds, and its curve of cost against violations.

One point proves nothing: a policy that violates less may only have bought more. So each is shown over its own
knob, and beside each other they are read at the same cost, or at the same violations.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barista.values.series import FloatArray

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided 95 %, by degrees of freedom from 1; 1.96 beyond."""
SHOWN = (
    "slo_violation_ratio",
    "p95_ms",
    "p99_ms",
    "cost",
    "over_provision_cost",
    "cold_starts",
    "changes_per_hour",
)


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What came of one play. `held` is the mean number of replicas paid for in each step of the trace.

    `over_provision_cost` was paid beyond the fewest replicas that would have served each step's demand.
    """

    slo_violation_ratio: float
    p95_ms: float
    p99_ms: float
    cost: float
    over_provision_cost: float
    cold_starts: float
    changes_per_hour: float
    requests: int
    refused: int
    held: FloatArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds; the true one lies within `within` of it 19 times out of 20 (None: one seed)."""

    mean: float
    within: float | None

    @staticmethod
    def of(values: Sequence[float]) -> "Estimate":
        """The estimate from independent runs."""
        n = len(values)
        if n < 2:
            return Estimate(float(values[0]), None)
        t = T_95[n - 2] if n - 2 < len(T_95) else 1.96
        return Estimate(float(np.mean(values)), float(t * np.std(values, ddof=1) / math.sqrt(n)))


@dataclass(frozen=True, slots=True)
class Point:
    """A policy at one setting of its knob (None: it has none, or it stands as it comes), over seeds."""

    setting: float | None
    runs: tuple[Figures, ...]

    def estimate(self, figure: str) -> Estimate:
        """The mean of `figure` over the seeds."""
        return Estimate.of([float(getattr(run, figure)) for run in self.runs])

    @property
    def cost(self) -> float:
        """Mean cost."""
        return self.estimate("cost").mean

    @property
    def violations(self) -> float:
        """Mean share of requests that missed the objective."""
        return self.estimate("slo_violation_ratio").mean


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """A policy as it comes, and its curve over the knob `knob` (empty: none was turned)."""

    name: str
    standard: Point
    knob: str = ""
    curve: tuple[Point, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """All that was tried, by cost."""
        return tuple(sorted((self.standard, *self.curve), key=lambda point: point.cost))

    def violations_at(self, cost: float) -> float | None:
        """The fewest violations to be had for `cost`, between points on a line; None below the cheapest."""
        return _read([(p.cost, p.violations) for p in self.points], cost)

    def cost_at(self, violations: float) -> float | None:
        """The least cost at which no more than `violations` are made; None where it makes more at any."""
        return _read([(p.violations, p.cost) for p in self.points], violations)


@dataclass(frozen=True, slots=True)
class Backtest:
    """A whole backtest: of what, and how each policy did. `notes` say what to know besides."""

    title: str
    unit: str
    start_s: float
    step_s: float
    demand_rps: FloatArray
    needed: FloatArray
    policies: Mapping[str, PolicyResult]
    notes: tuple[str, ...] = field(default=())


def document(backtest: Backtest) -> dict[str, Any]:
    """The backtest for programs."""
    return {
        "policies": {name: _figures(result.standard) for name, result in backtest.policies.items()},
        "tradeoff": {
            name: {
                "knob": result.knob,
                "points": [{"setting": point.setting, **_figures(point)} for point in result.curve],
            }
            for name, result in backtest.policies.items()
            if result.curve
        },
    }


def _figures(point: Point) -> dict[str, Any]:
    estimates = {name: point.estimate(name) for name in SHOWN}
    known = {name: of.within for name, of in estimates.items() if of.within is not None}
    means: dict[str, Any] = {name: of.mean for name, of in estimates.items()}
    return means | ({"within": known} if known else {})


def _read(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """The lower hull of `points` (x, y), read at `at`; flat beyond its last point."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if hull and y >= hull[-1][1]:
            continue
        while len(hull) > 1 and _above(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    if not hull or at < hull[0][0]:
        return None
    return float(np.interp(at, [x for x, _ in hull], [y for _, y in hull]))


def _above(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether `b` lies on or above the line from `a` to `c`."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])
