"""Shapes: templates found by looking up what is literal in them.

`/users/{id}/orders` and `/teams/{id}/members` have one shape: of three segments, the second varies. A
path is looked up once per shape, however many rules have it. Most rules are like that; RE2's sets find the
others, but among thousands walk through tens of megabytes of states to do so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from traffic_mirror.spec.pattern import Segment

MOST_SHAPES = 12


class Shape(NamedTuple):
    """How many segments (the empty one before the first `/` is one), which vary, whether more may follow."""

    length: int
    holes: tuple[int, ...]
    rest: bool


class Slot(NamedTuple):
    """What a varying segment has to be like: its beginning, its end, and its least length."""

    place: int
    before: bytes
    after: bytes
    least: int


class Outline(NamedTuple):
    """A template as it is looked up: `slots` are the varying segments that need more than not to be empty."""

    shape: Shape
    literals: bytes
    slots: tuple[Slot, ...]


def outline(segments: Sequence[Segment], *, rest: bool) -> Outline:
    """The outline of a template's segments; `rest`: after one more `/` anything may follow."""
    literals = [segment.encode() for segment in segments if isinstance(segment, str)]
    holes = [(place, segment) for place, segment in enumerate(segments) if not isinstance(segment, str)]
    slots = [
        Slot(place, before.encode(), after.encode(), len(before.encode()) + least + len(after.encode()))
        for place, (before, after, least) in holes
        if before or after
    ]
    shape = Shape(len(segments), tuple(place for place, _ in holes), rest)
    return Outline(shape, b"/".join(literals), tuple(slots))


class ShapeIndex[Owner]:
    """Finds the owners of outlines of the commonest shapes."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        common = [shape for shape, _ in Counter(shapes).most_common(MOST_SHAPES)]
        self._tables = {shape: _Table[Owner](shape.holes, _picker(shape), {}) for shape in common}
        self._longest = max((shape.length for shape in common), default=0) + 1
        self._by_length = [
            [table for shape, table in self._tables.items() if _may_fit(shape, length)]
            for length in range(self._longest + 1)
        ]

    def holds(self, shape: Shape) -> bool:
        """Whether outlines of this shape can be added."""
        return shape in self._tables

    def add(self, token: bytes, added: Outline, owner: Owner) -> None:
        """Adds an owner, to be found by a token (for the host) and a path that fits the outline."""
        owners, key = self._tables[added.shape].owners, token + added.literals
        if key not in owners and not added.slots:
            owners[key] = owner
            return
        there = owners.get(key)
        if not isinstance(there, _Several):
            there = owners[key] = _Several() if there is None else _Several([(there, ())])
        there.append((owner, added.slots))

    def find(self, tokens: Iterable[bytes], path: bytes) -> list[Owner]:
        """The owners whose outlines a path fits, in no order."""
        found: list[Owner] = []
        parts = path.split(b"/")
        for holes, pick, owners in self._by_length[min(len(parts), self._longest)]:
            literals = b"/".join(pick(parts))
            for token in tokens:
                there = owners.get(token + literals)
                if there is None or not _fill(parts, holes):
                    continue
                if isinstance(there, _Several):
                    found += [owner for owner, slots in there if _fit(parts, slots)]
                else:
                    found.append(there)
        return found


class _Several[Owner](list[tuple[Owner, tuple[Slot, ...]]]):
    """Owners that are found alike, and the slots that tell them apart."""


class _Table[Owner](NamedTuple):
    """The owners of one shape, by token and literals; `pick` takes the literal ones of a path's segments.

    An owner that is found alone and has no slots, as most are, stands there by itself: fewer objects to
    touch among thousands.
    """

    holes: tuple[int, ...]
    pick: Callable[[list[bytes]], Sequence[bytes]]
    owners: dict[bytes, Owner | _Several[Owner]]


def _may_fit(shape: Shape, length: int) -> bool:
    return shape.length < length if shape.rest else shape.length == length


def _fill(parts: list[bytes], holes: tuple[int, ...]) -> bool:
    """Whether no varying segment is empty."""
    for hole in holes:  # noqa: SIM110 - in a loop of its own it takes half the time
        if not parts[hole]:
            return False
    return True


def _fit(parts: list[bytes], slots: tuple[Slot, ...]) -> bool:
    for place, before, after, least in slots:
        part = parts[place]
        if len(part) < least or not part.startswith(before) or not part.endswith(after):
            return False
    return True


def _picker(shape: Shape) -> Callable[[list[bytes]], Sequence[bytes]]:
    places = [place for place in range(shape.length) if place not in shape.holes]
    if places == list(range(len(places))):  # slices are quickest, and the usual case
        return itemgetter(slice(0, len(places)))
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
