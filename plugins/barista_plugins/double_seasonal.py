"""Exponential smoothing with several seasons, many smoothing rates side by side.

Taylor's double-seasonal Holt-Winters with an AR(1) error (J. W. Taylor 2003, "Short-term electricity demand
forecasting using double seasonal exponential smoothing"), additive and without trend: a level, a habit
per season, each moved by its share of the latest error, which itself fades with the lead. Errors are clipped
before they move anything, so that a burst leaves no trace in the habits (Gelper, Fried & Croux 2010, "Robust
forecasting with exponential and Holt-Winters smoothing").
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from barista.values.series import FloatArray
from barista_plugins.lagged import Positions

EARLY = 3
"""A habit's first error moves it by one part in so many."""
SETTLED_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Rates:
    """Smoothing rates of p candidates: of the level (p,) and of each season (seasons, p)."""

    level: FloatArray
    seasonal: FloatArray

    def only(self, candidates: Positions) -> "Rates":
        """The rates of some candidates."""
        return Rates(self.level[candidates], self.seasonal[:, candidates])


@dataclass(frozen=True, slots=True)
class Smoothed:
    """What p candidates have learned: levels (p,), and per season the habits of its next steps (steps, p).

    `age` is the number of steps passed. In its first rounds a habit is moved like a mean, by more than its
    rate; once the longest is settled, errors beyond `limit` are clipped before they move anything.
    """

    rates: Rates
    limit: float
    level: FloatArray
    habits: tuple[FloatArray, ...]
    age: int

    @staticmethod
    def started(level: float, seasons: tuple[int, ...], rates: Rates, limit: float) -> "Smoothed":
        """Before any value: all at `level`, without habits for the `seasons` (steps)."""
        candidates = len(rates.level)
        habits = tuple(np.zeros((season, candidates)) for season in seasons)
        return Smoothed(rates, limit, np.full(candidates, level), habits, 0)

    def followed(self, values: FloatArray, jumps: Mapping[int, int]) -> tuple["Smoothed", "Passed"]:
        """Moved on by `values` (n,), NaN where not seen, and what was passed on the way.

        `jumps` tells at which of them the local clock jumps ahead by how many steps: habits keep to it.
        """
        n, level = len(values), self.level
        habits = [np.concatenate([habit, np.empty((n, len(level)))]) for habit in self.habits]
        levels, errors = np.empty((n, len(level))), np.zeros((n, len(level)))
        moving = list(zip(habits, map(len, self.habits), self.rates.seasonal, strict=True))
        settled = SETTLED_ROUNDS * max(map(len, self.habits), default=0)
        for at, value in enumerate(values.tolist()):
            if at in jumps:
                for habit, season, _ in moving:
                    habit[at : at + season] = np.roll(habit[at : at + season], -jumps[at], axis=0)
            expected = level
            for habit, _, _ in moving:
                expected = expected + habit[at]
            if not math.isnan(value):
                errors[at] = value - expected
            limit = self.limit if self.age + at >= settled else math.inf
            move = np.minimum(np.maximum(errors[at], -limit), limit)
            for habit, season, rate in moving:
                early = 1.0 / ((self.age + at) // season + EARLY)
                habit[at + season] = habit[at] + np.maximum(rate, early) * move
            level = level + self.rates.level * move
            levels[at] = level
        moved = replace(self, level=level, habits=tuple(habit[n:] for habit in habits), age=self.age + n)
        return moved, Passed(levels, errors, tuple(habits), tuple(map(len, self.habits)))

    def only(self, candidates: Positions) -> "Smoothed":
        """Some of the candidates."""
        habits = tuple(habit[:, candidates] for habit in self.habits)
        rates, level = self.rates.only(candidates), self.level[candidates]
        return replace(self, rates=rates, level=level, habits=habits)


@dataclass(frozen=True, slots=True)
class Passed:
    """Levels and errors (n, p) after each of n values, and the habits (n + season, p) of each season."""

    levels: FloatArray
    errors: FloatArray
    habits: tuple[FloatArray, ...]
    seasons: tuple[int, ...]

    def ahead(self, lead: int, candidates: Positions | slice = slice(None)) -> FloatArray:
        """What comes `lead` steps after each value, but for the fading error: shape (n, candidates)."""
        made = self.levels[:, candidates]
        for habit, season in zip(self.habits, self.seasons, strict=True):
            first = 1 + (lead - 1) % season
            made = made + habit[first : first + len(made), candidates]
        return made
