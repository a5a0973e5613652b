"""Buckets: the mean over a window as Knative's autoscaler takes it.

Values are added up in buckets of a second. The mean is over the buckets since the first value, and of the
window at most: a second without a value counts as zero between others, but not before the first, nor after
the last. A silence as long as the window begins everything anew.
After knative.dev/serving, pkg/autoscaler/aggregation.
"""

import math
from collections import deque

PARTS = 1e6
"""Means are rounded to millionths, so that none costs a pod by its last digit."""


class Buckets:
    """Values of the last `window_s` seconds, in buckets of `bucket_s`; they come in order of time."""

    def __init__(self, window_s: float, bucket_s: float = 1.0) -> None:
        self._window_s, self._bucket_s = window_s, bucket_s
        self._count = math.ceil(window_s / bucket_s - 1e-9)
        self._values: deque[tuple[int, float]] = deque()
        self._first = self._last = -1
        self._total = 0.0

    def record(self, at_s: float, value: float) -> None:
        """Add `value` to the bucket of `at_s`."""
        number = self._number(at_s)
        if not self._values or self._lasts_as_long(number - self._last):
            self._values.clear()
            self._first, self._total = number, 0.0
        self._values.append((number, value))
        self._total += value
        self._last = number
        while self._values[0][0] <= number - self._count:
            self._total -= self._values.popleft()[1]

    def is_empty(self, now_s: float) -> bool:
        """Whether nothing came for longer than the window."""
        silent_s = (self._number(now_s) - self._last) * self._bucket_s
        return not self._values or silent_s > self._window_s + 1e-9

    def mean(self, now_s: float) -> float:
        """The mean value of a bucket; 0 after a silence as long as the window."""
        now = max(self._number(now_s), self._last)
        silent = now - self._last
        if not self._values or self._lasts_as_long(silent):
            return 0.0
        known = min(self._last - self._first + 1, self._count - silent)
        return _rounded((self._total - self._gone(now - self._count)) / known)

    def _gone(self, until: int) -> float:
        """The values of buckets up to number `until`."""
        total = 0.0
        for number, value in self._values:
            if number > until:
                break
            total += value
        return total

    def _number(self, at_s: float) -> int:
        return math.floor(at_s / self._bucket_s + 1e-9)

    def _lasts_as_long(self, buckets: int) -> bool:
        return buckets * self._bucket_s >= self._window_s - 1e-9


def _rounded(value: float) -> float:
    """To whole `PARTS`, halves away from zero."""
    return math.floor(value * PARTS + 0.5) / PARTS
