"""Durations in the buckets that Prometheus reads. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """Counts of seconds per bucket, the last one unbounded, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    @property
    def total(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus's buckets: `le` and the count of all up to it."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets

    def restore(self, counts: Sequence[int], total: float) -> None:
        """Adds what was kept of another worker's; counts of another shape are left out."""
        if len(counts) == len(self.counts):
            self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
            self.sum += total
