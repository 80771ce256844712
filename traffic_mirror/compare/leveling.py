"""Values as a policy sees them: without what it does not look at, what it takes for the same written the same
way.

Elements of lists are paired by these, so that an ignored field or another host name does not tell apart what
belongs together.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.places import Path, Tag, steps_of
from traffic_mirror.compare.policy import Policy, read_number
from traffic_mirror.compare.trees import Element

Side = Literal["primary", "copy"]

_GONE = object()
_TOLERATED = "\U000f0fff"


class Level(NamedTuple):
    """A value as the policy sees it, and in order the numbers it leaves open, each with its tolerance."""

    value: object
    numbers: tuple[tuple[Decimal, float], ...] = ()


class Leveling:
    """Levels values of one side. `tolerant`: numbers with a tolerance are left open."""

    def __init__(self, policy: Policy, side: Side, budget: Budget, *, tolerant: bool) -> None:
        self._ignore = tuple(e for e in policy.ignore if e.part == "body")
        self._only = tuple(e for e in policy.only if e.part == "body")
        self._selects = bool(policy.only)
        self._tolerance = (
            tuple(pair for pair in policy.tolerance if pair[0].part == "body") if tolerant else ()
        )
        self._policy = policy
        self._side = side
        self._budget = budget
        self._numbers: list[tuple[Decimal, float]] = []

    @property
    def changes_nothing(self) -> bool:
        """Whether every value is left as it is."""
        return not (self._ignore or self._selects or self._tolerance or self._policy.equivalent)

    def of(self, path: Path, value: object) -> Level:
        """The value at a path, leveled."""
        self._numbers = []
        leveled = self._level(path, value)
        return Level(None if leveled is _GONE else leveled, tuple(self._numbers))

    def _level(self, path: Path, value: object) -> object:
        self._budget.spend(1 + len(path) * (len(self._ignore) + len(self._only) + len(self._tolerance)))
        if any(e.covers(path) for e in self._ignore):
            return _GONE
        if self._selects and not any(e.touches(path) for e in self._only):
            return _GONE
        if isinstance(value, dict):
            return self._fields(path, value)
        if isinstance(value, list):
            inner = (self._level((*path, i), item) for i, item in enumerate(value))
            return [item for item in inner if item is not _GONE]
        if isinstance(value, Element):
            return self._element(path, value)
        return self._scalar(path, value)

    def _fields(self, path: Path, value: dict[str, object]) -> dict[str, object]:
        inner = ((name, self._level((*path, name), item)) for name, item in value.items())
        return {name: item for name, item in inner if item is not _GONE}

    def _element(self, path: Path, value: Element) -> Element:
        steps = steps_of([c.name if isinstance(c, Element) else "" for c in value.children])
        inner = [self._level((*path, step), c) for step, c in zip(steps, value.children, strict=True)]
        return Element(
            value.tag, self._fields(path, value.attributes), [item for item in inner if item is not _GONE]
        )

    def _scalar(self, path: Path, value: object) -> object:
        if self._selects and not any(e.covers(path) for e in self._only):
            return _GONE
        bound = next((bound for e, bound in self._tolerance if e.covers(path)), None)
        if bound is not None and (number := read_number(value)) is not None:
            self._numbers.append((number, bound))
            return _TOLERATED
        return self._policy.level(value, self._side) if isinstance(value, str) else value


def contains(path: Path, value: object, policy: Policy) -> bool:
    """Whether `only` means a value at a path, or something in it."""
    meant = [e for e in policy.only if e.part == "body" and e.touches(path)]
    if any(e.covers(path) for e in meant):
        return True
    return bool(meant) and any(contains((*path, step), inner, policy) for step, inner in inside(value))


def inside(value: object) -> list[tuple[str | int | Tag, object]]:
    """What is in a value of a body, with the steps to it."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, Element):
        steps = steps_of([c.name if isinstance(c, Element) else "" for c in value.children])
        return [*value.attributes.items(), *zip(steps, value.children, strict=True)]
    return []
