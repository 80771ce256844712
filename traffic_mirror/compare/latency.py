"""How long the primary and a destination take, side by side: distributions, and a plain sentence."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import msgspec

MAX_ROWS = 1000
LEAST_BEYOND = 10
"""A quantile is told only where this many samples lie beyond it: p50 from 20 pairs, p90 from 100, p99 from
1,000. With fewer, one slow answer would move it."""

QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))

_LEAST_PAIRS = 2 * LEAST_BEYOND
_SMALLEST = 1e-5
_GROWTH = 1.05
_BUCKETS = 400
_PER_FACTOR = 1 / math.log(_GROWTH)
_MIDDLES: tuple[float, ...] = tuple(
    _SMALLEST * _GROWTH ** (bucket + 0.5) for bucket in range(_BUCKETS + 1)
)  # in seconds
_SIGMAS = 3.0
_LEAST_RATIO = 1.1
_LEAST_TAIL_RATIO = 1.5
_LEAST_SECONDS = 0.001


class Histogram(msgspec.Struct):
    """Durations in buckets that grow by 5 %, from 10 µs to about 50 minutes; a quantile is right to 2.5
    %."""

    buckets: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.buckets.values())

    def add(self, seconds: float) -> None:
        """Counts one duration."""
        self.add_to(bucket_of(seconds))

    def add_to(self, bucket: int) -> None:
        """Counts one duration by its bucket, which several histograms can share."""
        try:
            self.buckets[bucket] += 1
        except KeyError:
            self.buckets[bucket] = 1

    def merge(self, other: Histogram) -> None:
        """Adds what another one counted."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def quantile(self, share: float, beyond: int = LEAST_BEYOND) -> float | None:
        """The duration, in seconds, that this share of all stays below; None where fewer lie `beyond`."""
        count = self.count
        if count * (1 - share) < beyond - 1e-9:
            return None
        left = share * count
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return _MIDDLES[min(bucket, _BUCKETS)]
        return None

    def quantiles(self) -> dict[str, float | None]:
        """The quantiles that are told, in seconds, by name; None where too few lie beyond."""
        return {name: _rounded(self.quantile(share)) for name, share in QUANTILES}

    def spread(self, bounds: Sequence[float]) -> list[int]:
        """How many lie up to each of `bounds`, in seconds and ascending, and how many above the last."""
        counts = [0] * (len(bounds) + 1)
        for bucket, count in self.buckets.items():
            counts[bisect_left(bounds, _MIDDLES[min(bucket, _BUCKETS)])] += count
        return counts


class Pair(msgspec.Struct):
    """The durations of a primary and of a destination, side by side."""

    primary: Histogram = msgspec.field(default_factory=Histogram)
    copy: Histogram = msgspec.field(default_factory=Histogram)


def bucket_of(seconds: float) -> int:
    """The bucket that counts a duration, for `Histogram.add_to`."""
    if seconds <= _SMALLEST:
        return 0
    bucket = int(math.log(seconds / _SMALLEST) * _PER_FACTOR)
    return bucket if bucket < _BUCKETS else _BUCKETS


class Row(msgspec.Struct):
    """Both distributions of one API's rule and a destination; `slower` counts pairs in which the copy took
    longer."""

    rule: str
    destination: str
    primary: Histogram
    copy: Histogram
    slower: int = 0
    faster: int = 0
    api: str = ""


class Latencies:
    """Rows by API, rule and destination, bounded; what comes after is not counted."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Row] = {}

    def add(self, rule: str, destination: str, primary: float, copy: float, api: str = "") -> None:
        """Counts one pair of durations in seconds."""
        row = self._row(api, rule, destination)
        if row is None:
            return
        row.primary.add(primary)
        row.copy.add(copy)
        row.slower += copy > primary
        row.faster += copy < primary

    def merge(self, other: Latencies) -> None:
        """Adds what another one counted."""
        for theirs in other._rows.values():
            row = self._row(theirs.api, theirs.rule, theirs.destination)
            if row is not None:
                row.primary.merge(theirs.primary)
                row.copy.merge(theirs.copy)
                row.slower += theirs.slower
                row.faster += theirs.faster

    def listing(self) -> list[dict[str, object]]:
        """Each row as plain data: its quantiles in seconds (None where too few samples) and its sentence."""
        apis: dict[str, set[str]] = {}
        for row in self._rows.values():
            apis.setdefault(row.rule, set()).add(row.api)
        return [
            {
                "api": row.api,
                "rule": row.rule,
                "destination": row.destination,
                "count": row.copy.count,
                "primary": row.primary.quantiles(),
                "copy": row.copy.quantiles(),
                "verdict": judge_row(row),
                "sentence": sentence(row, f"{row.api} / {row.rule}" if len(apis[row.rule]) > 1 else row.rule),
            }
            for row in self._rows.values()
        ]

    def dump(self) -> list[object]:
        """All of it as plain data, for `Latencies.load`."""
        return [msgspec.to_builtins(row) for row in self._rows.values()]

    @classmethod
    def load(cls, data: object) -> Latencies:
        """What `dump` gave; data of another shape gives nothing."""
        latencies = cls()
        try:
            rows = msgspec.convert(data, list[Row], strict=False)
        except msgspec.ValidationError:
            return latencies
        latencies._rows = {(row.api, row.rule, row.destination): row for row in rows[:MAX_ROWS]}
        return latencies

    def _row(self, api: str, rule: str, destination: str) -> Row | None:
        row = self._rows.get((api, rule, destination))
        if row is None and len(self._rows) < MAX_ROWS:
            row = Row(rule, destination, Histogram(), Histogram(), api=api)
            self._rows[api, rule, destination] = row
        return row


def judge_row(row: Row) -> str:
    """`slower`, `faster`, `alike` or `unknown` (too few pairs).

    Slower or faster is what a sign test over the pairs says at three sigmas, and what the medians show by a
    tenth and a millisecond; where these are alike, what p90 or p99 show by half as much again, and what the
    numbers of slow answers on both sides say at three sigmas.
    """
    median = _judge_medians(row)
    return next((verdict for _, verdict, _ in _tails(row)), median) if median == "alike" else median


def sentence(row: Row, rule: str) -> str:
    """What the row says, for people, who know its rule by the name `rule`."""
    median = _judge_medians(row)
    if median == "unknown":
        few = f"{row.copy.count} of {_LEAST_PAIRS}"
        return f"{row.destination} on {rule}: too few pairs to compare times ({few})."
    mine, theirs = row.primary.quantile(0.5) or 0.0, row.copy.quantile(0.5) or 0.0
    other = [
        f"{verdict} at {name} ({times:.1f} times)"
        for name, verdict, times in _tails(row)
        if verdict != median
    ]
    but = f", but {' and '.join(other)}" if other else ""
    if median == "alike":
        both = f"{_ms(theirs)} and {_ms(mine)} at p50{_tail(row)}"
        return f"{row.destination} is as fast as the primary on {rule}{but}: {both}."
    return (
        f"{row.destination} is {median} than the primary on {rule}{but}: "
        f"{_ms(theirs)} instead of {_ms(mine)} at p50 ({_times(mine, theirs):.1f} times){_tail(row)}."
    )


def _judge_medians(row: Row) -> str:
    mine, theirs = row.primary.quantile(0.5), row.copy.quantile(0.5)
    if mine is None or theirs is None:
        return "unknown"
    told = row.slower + row.faster
    lean = (row.slower - row.faster) / math.sqrt(told) if told else 0.0
    apart = _are_apart(mine, theirs, _LEAST_RATIO)
    if apart and lean >= _SIGMAS and theirs > mine:
        return "slower"
    return "faster" if apart and lean <= -_SIGMAS and theirs < mine else "alike"


def _tails(row: Row) -> list[tuple[str, str, float]]:
    """The quantiles above the median at which a destination is `slower` or `faster`, and how many times."""
    found = []
    for name, share in QUANTILES[1:]:
        mine, theirs = row.primary.quantile(share), row.copy.quantile(share)
        if mine is None or theirs is None or not _are_apart(mine, theirs, _LEAST_TAIL_RATIO):
            continue
        between = (math.sqrt(mine * theirs),)
        above = [side.spread(between)[1] for side in (row.primary, row.copy)]
        if abs(above[1] - above[0]) / math.sqrt(sum(above)) >= _SIGMAS:
            found.append((name, "slower" if theirs > mine else "faster", _times(mine, theirs)))
    return found


def _are_apart(mine: float, theirs: float, ratio: float) -> bool:
    return _times(mine, theirs) >= ratio and abs(mine - theirs) >= _LEAST_SECONDS


def _times(mine: float, theirs: float) -> float:
    return max(mine, theirs) / min(mine, theirs)


def _tail(row: Row) -> str:
    told = []
    for name, share in QUANTILES[1:]:
        mine, theirs = row.primary.quantile(share), row.copy.quantile(share)
        if mine is not None and theirs is not None:
            told.append(f"{_ms(theirs)} and {_ms(mine)} at {name}")
    return "".join(f", {part}" for part in told) + f", of {row.copy.count:,} pairs"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
