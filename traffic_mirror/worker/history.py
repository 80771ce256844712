"""The history: what copies came to, second by second, for the page's plots. Pure; the clock is passed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from traffic_mirror.compare import Histogram, Pair, bucket_of
from traffic_mirror.ledger import OUTCOMES
from traffic_mirror.worker.sums import VERDICTS

COUNTED = (*OUTCOMES, *VERDICTS)
FIELDS = (*COUNTED, "in_flight", "queued", "copy_p50", "copy_p95", "primary_p50", "primary_p95")
RECENT_EVERY = 5  # seconds
RECENT_LENGTH = 60

_QUANTILES = (0.5, 0.95)
_LONGEST_GAP = 600  # seconds; a machine that slept for longer has a gap in its plots

Point = tuple[float | None, ...]


class Ring:
    """The newest points, one for each `every` seconds; `next` is the number of the one to come."""

    def __init__(self, every: int, length: int) -> None:
        self.every = every
        self.next = 0
        self._points: deque[Point] = deque(maxlen=length)
        self._gathered: list[Point] = []
        self._copy = Histogram()
        self._primary = Histogram()

    def add(self, counts: Iterable[float], gauges: Iterable[float], latency: Pair | None = None) -> None:
        """Takes one second; every so many become a point: counts and latencies summed, gauges averaged."""
        self._gathered.append((*counts, *gauges))
        if latency is not None:
            self._copy.merge(latency.copy)
            self._primary.merge(latency.primary)
        if len(self._gathered) < self.every:
            return
        columns = [[value or 0.0 for value in column] for column in zip(*self._gathered, strict=True)]
        sums = (round(sum(column), 3) for column in columns[: len(COUNTED)])
        means = (round(sum(column) / self.every, 3) for column in columns[len(COUNTED) :])
        self._points.append((*sums, *means, *_quantiles(self._copy), *_quantiles(self._primary)))
        self._gathered.clear()
        self._copy, self._primary = Histogram(), Histogram()
        self.next += 1

    def since(self, number: int) -> dict[str, object]:
        """The points from `number` on; all of them where `number` is none of ours."""
        fresh = self.next - number
        points = list(self._points)
        if 0 <= fresh < len(points):
            points = points[len(points) - fresh :]
        return {"every": self.every, "length": self._points.maxlen, "next": self.next, "points": points}


class Recent:
    """One destination: how its copies did in the last minutes, and how long they took beside the primary."""

    __slots__ = ("bad", "good", "latency", "steps")

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0
        self.steps: deque[tuple[int, int]] = deque(maxlen=RECENT_LENGTH)
        self.latency = Pair()


class History:
    """Five minutes by the second and two hours by twenty seconds, in all and by destination.

    `ended`, `judged` and `answered` are called for each copy and only count; `sample` is called about once a
    second with the time in seconds of a steady clock.
    """

    def __init__(self) -> None:
        self.fine = Ring(1, 300)
        self.coarse = Ring(20, 360)
        self.recent: dict[str, Recent] = {}
        self._began: float | None = None
        self._seconds = 0
        self._counts = dict.fromkeys(COUNTED, 0)
        self._elsewhere: dict[str, int] = {}
        self._latency: Pair | None = None

    def ended(self, destination: str, outcome: str, seconds: float) -> None:
        """Counts a copy that ended in this worker, and how long it took if it was delivered."""
        self._counts[outcome] += 1
        recent = self._recent(destination)
        if outcome == "delivered":
            recent.good += 1
            if self._latency is None:
                self._latency = Pair()
            bucket = bucket_of(seconds)
            recent.latency.copy.add_to(bucket)
            self._latency.copy.add_to(bucket)
        elif outcome in ("failed", "dropped"):
            recent.bad += 1

    def answered(self, destination: str, seconds: float) -> None:
        """Counts how long the primary took for a request that was copied to `destination`."""
        if self._latency is None:
            self._latency = Pair()
        bucket = bucket_of(seconds)
        self._recent(destination).latency.primary.add_to(bucket)
        self._latency.primary.add_to(bucket)

    def judged(self, verdict: str) -> None:
        """Counts a verdict."""
        self._counts[verdict] += 1

    def sample(self, now: float, elsewhere: Mapping[str, int], in_flight: int, queued: int) -> None:
        """Ends the seconds that have passed. `elsewhere` is what ended at the edge so far, by outcome."""
        if self._began is None:
            self._began = now - 1
        passed = int(now - self._began) - self._seconds
        if passed < 1:
            return
        counts = self._counts
        for outcome, count in elsewhere.items():
            counts[outcome] += max(0, count - self._elsewhere.get(outcome, 0))
        self._elsewhere = dict(elsewhere)
        self._counts = dict.fromkeys(COUNTED, 0)
        shown = min(passed, _LONGEST_GAP)
        each = [counts[name] / shown for name in COUNTED]
        for _ in range(shown):
            self._end_second(each, (in_flight, queued))
        self._seconds += passed - shown

    def restore(self, latencies: Mapping[str, Pair]) -> None:
        """Takes up the durations, by destination, that an earlier worker counted."""
        for destination, pair in latencies.items():
            mine = self._recent(destination).latency
            mine.copy.merge(pair.copy)
            mine.primary.merge(pair.primary)

    def _end_second(self, counts: Iterable[float], gauges: tuple[int, int]) -> None:
        self._seconds += 1
        latency, self._latency = self._latency, None
        self.fine.add(counts, gauges, latency)
        self.coarse.add(counts, gauges, latency)
        if self._seconds % RECENT_EVERY == 0:
            for recent in self.recent.values():
                recent.steps.append((recent.good, recent.bad))
                recent.good = recent.bad = 0

    def _recent(self, destination: str) -> Recent:
        recent = self.recent.get(destination)
        if recent is None:
            recent = self.recent[destination] = Recent()
        return recent


def _quantiles(histogram: Histogram) -> tuple[float | None, ...]:
    found = (histogram.quantile(share, 0) for share in _QUANTILES)
    return tuple(None if seconds is None else round(seconds, 6) for seconds in found)
