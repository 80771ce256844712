"""Lists side by side: which element of one stands for which of the other, so that one inserted is one
difference.

Elements are first matched by equal keys in order (Myers' algorithm), then what is left between two matches
by likeness. Whichever side comes first, the same elements are paired.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.likeness import LEAST

Pairs = list[tuple[int | None, int | None]]
Likeness = Callable[[int, int], float]

MAX_EDITS = 400
MAX_CELLS = 10_000


class Keyed(NamedTuple):
    """The elements of a list by `exact` keys, and by keys that leave out what may be noise."""

    exact: Sequence[Hashable]
    masked: Sequence[Hashable]


def align(first: Keyed, second: Keyed, likeness: Likeness, budget: Budget) -> Pairs:
    """Pairs of indices in order, None where one side has nothing; `likeness` of two indices is 0 to 1."""
    if _in_order(first.exact, second.exact):
        return _align(first, second, likeness, budget)
    turned = _align(second, first, lambda i, j: likeness(j, i), budget)
    return [(i, j) for j, i in turned]


def _in_order(first: Sequence[Hashable], second: Sequence[Hashable]) -> bool:
    """A total order of the two sides, so that both calls of a mirrored pair do the same work."""
    if len(first) != len(second):
        return len(first) < len(second)
    return next((hash(x) < hash(y) for x, y in zip(first, second, strict=True) if x != y), True)


def _align(first: Keyed, second: Keyed, likeness: Likeness, budget: Budget) -> Pairs:
    pairs: Pairs = []
    for left, right in _gaps(
        first.exact, second.exact, pairs, _whole(first.exact), _whole(second.exact), budget
    ):
        for within in _gaps(first.masked, second.masked, pairs, left, right, budget):
            pairs += _fill(*within, likeness, budget)
    return sorted(pairs, key=_position(pairs))


def _whole(side: Sequence[Hashable]) -> range:
    return range(len(side))


def _position(pairs: Pairs) -> Callable[[tuple[int | None, int | None]], tuple[int, int, int]]:
    """The order of both sides at once: what only the second has comes before the next pair."""
    partner = {j: i for i, j in pairs if i is not None and j is not None}
    following: dict[int, int] = {}
    after = 1 << 60
    for j in sorted((j for _, j in pairs if j is not None), reverse=True):
        after = partner.get(j, after)
        following[j] = after

    def position(pair: tuple[int | None, int | None]) -> tuple[int, int, int]:
        i, j = pair
        if i is not None:
            return i, 1, 0
        assert j is not None
        return following[j], 0, j

    return position


def _gaps(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    pairs: Pairs,
    left: range,
    right: range,
    budget: Budget,
) -> list[tuple[range, range]]:
    """Adds the pairs of equal keys within two ranges; what lies between them is left."""
    found = _common(first[left.start : left.stop], second[right.start : right.stop], budget)
    gaps = []
    at_i, at_j = left.start, right.start
    for i, j in [*((i + left.start, j + right.start) for i, j in found), (left.stop, right.stop)]:
        if at_i < i or at_j < j:
            gaps.append((range(at_i, i), range(at_j, j)))
        if i < left.stop and j < right.stop:
            pairs.append((i, j))
        at_i, at_j = i + 1, j + 1
    return gaps


def _common(first: Sequence[Hashable], second: Sequence[Hashable], budget: Budget) -> list[tuple[int, int]]:
    start, end = 0, 0
    shorter = min(len(first), len(second))
    budget.spend(shorter)
    while start < shorter and first[start] == second[start]:
        start += 1
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    middle = _matches(first[start : len(first) - end], second[start : len(second) - end], budget)
    return [
        *((i, i) for i in range(start)),
        *((i + start, j + start) for i, j in middle),
        *((len(first) - end + k, len(second) - end + k) for k in range(end)),
    ]


def _matches(first: Sequence[Hashable], second: Sequence[Hashable], budget: Budget) -> list[tuple[int, int]]:
    """The pairs of equal elements of a longest common subsequence; fewer where it takes too many edits."""
    if not first or not second or set(first).isdisjoint(second):
        return []
    trace: list[dict[int, int]] = []
    reach = {1: 0}
    for edits in range(min(len(first) + len(second), MAX_EDITS) + 1):
        budget.spend(edits + 1)
        trace.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            i = _furthest(reach, diagonal, edits)
            j = i - diagonal
            while i < len(first) and j < len(second) and first[i] == second[j]:
                i, j = i + 1, j + 1
            reach[diagonal] = i
            if i >= len(first) and j >= len(second):
                return _trace_back(trace, len(first), len(second))
    return _unique_matches(first, second)


def _furthest(reach: dict[int, int], diagonal: int, edits: int) -> int:
    down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
    return reach[diagonal + 1] if down else reach[diagonal - 1] + 1


def _trace_back(trace: list[dict[int, int]], i: int, j: int) -> list[tuple[int, int]]:
    matches = []
    for edits in range(len(trace) - 1, -1, -1):
        reach = trace[edits]
        diagonal = i - j
        down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
        before = diagonal + 1 if down else diagonal - 1
        from_i = reach.get(before, 0)
        from_j = from_i - before
        start = (from_i, from_j + 1) if down else (from_i + 1, from_j)
        while i > start[0] and j > start[1]:
            i, j = i - 1, j - 1
            matches.append((i, j))
        i, j = from_i, from_j
    return matches[::-1]


def _unique_matches(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Elements that both sides have once, in the longest run that keeps their order (patience)."""
    counts = Counter(first), Counter(second)
    places = {x: j for j, x in enumerate(second)}
    once = [(i, places[x]) for i, x in enumerate(first) if counts[0][x] == 1 == counts[1][x]]
    return _longest_rising(once)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:

    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(tails, j)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(j)
            ends.append(index)
        else:
            tails[at], ends[at] = j, index
    rising = []
    index = ends[-1] if ends else -1
    while index >= 0:
        rising.append(pairs[index])
        index = before[index]
    return rising[::-1]


def _fill(left: range, right: range, likeness: Likeness, budget: Budget) -> Pairs:
    """Pairs what lies between two matches by likeness."""
    if not left or not right:
        return [(i, None) for i in left] + [(None, j) for j in right]
    if len(left) == len(right) == 1:
        return [(left[0], right[0])] if likeness(left[0], right[0]) >= LEAST else _apart(left, right)
    if len(left) * len(right) > MAX_CELLS:
        both = min(len(left), len(right))
        pairs: Pairs = [(left[k], right[k]) for k in range(both)]
        return pairs + [(i, None) for i in left[both:]] + [(None, j) for j in right[both:]]
    return _fill_best(left, right, likeness, budget)


def _apart(left: range, right: range) -> Pairs:
    return [*((i, None) for i in left), *((None, j) for j in right)]


def _fill_best(left: range, right: range, likeness: Likeness, budget: Budget) -> Pairs:
    """The pairing in order whose likenesses add up to most."""
    budget.spend(len(left) * len(right) * 4)
    rows, columns = len(left), len(right)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    like = [[likeness(i, j) for j in right] for i in left]
    for r in range(rows - 1, -1, -1):
        for c in range(columns - 1, -1, -1):
            paired = like[r][c] + best[r + 1][c + 1] if like[r][c] >= LEAST else -1.0
            best[r][c] = max(paired, best[r + 1][c], best[r][c + 1])
    pairs: Pairs = []
    r = c = 0
    while r < rows and c < columns:
        if like[r][c] >= LEAST and best[r][c] == like[r][c] + best[r + 1][c + 1]:
            pairs.append((left[r], right[c]))
            r, c = r + 1, c + 1
        elif best[r][c] == best[r + 1][c]:
            pairs.append((left[r], None))
            r += 1
        else:
            pairs.append((None, right[c]))
            c += 1
    return pairs + [(i, None) for i in left[r:]] + [(None, j) for j in right[c:]]
