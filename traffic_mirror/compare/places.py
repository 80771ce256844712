"""Places in a response: how a path is written, made general, and matched by an expression of the policy.

A path is a tuple of steps: a `str` is a key of an object (or `@name`, `text()` in a tree), an `int` an index
of a list, a `Tag` an element of a tree. It is written as JSONPath or XPath only when it is reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from traffic_mirror.compare.values import without_surrogates
from traffic_mirror.spec.place import PlaceStep, Steps, parse_place

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ID_KEY = re.compile(r"(?=.*\d)(?:\d+|[0-9a-fA-F-]{8,}|[A-Za-z0-9_-]{16,}|\d{4}-\d{2}.*)")


class Tag(NamedTuple):
    """An element of a tree; `nth` counts from 1 among its siblings of that name, 0 where it is the only
    one."""

    name: str
    nth: int = 0


class Whole(str):
    """A place of a body that is neither JSON nor a tree: `line 3`, `bytes`, or empty for all of it."""

    __slots__ = ()


Step = str | int | Tag
Path = tuple[Step, ...]


def write_body(path: Path) -> str:
    """The place of a body's path: JSONPath for objects and lists, XPath for trees."""
    if path and isinstance(path[0], Whole):
        return f"body:{path[0]}" if path[0] else "body"
    if path and isinstance(path[0], Tag):
        return without_surrogates("body:" + "".join(_xpath(step) for step in path))
    return without_surrogates("body:$" + "".join(_jsonpath(step) for step in path))


def _jsonpath(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if isinstance(step, str) and _NAME.fullmatch(step):
        return "." + step
    return "['" + str(step).replace("\\", "\\\\").replace("'", "\\'") + "']"


def _xpath(step: Step) -> str:
    if isinstance(step, Tag):
        return f"/{step.name}[{step.nth}]" if step.nth else f"/{step.name}"
    return f"/{step}" if isinstance(step, str) else f"[{step}]"


def steps_of(names: Sequence[str]) -> list[Step]:
    """The steps to the children of an element, by their names (empty for a text); one that comes once has no
    number."""
    counts, seen = Counter(names), Counter[str]()
    steps: list[Step] = []
    for name in names:
        seen[name] += 1
        number = seen[name] if counts[name] > 1 else 0
        steps.append(Tag(name, number) if name else f"text()[{number}]" if number else "text()")
    return steps


def generalise(place: str) -> str:
    """The place with every index, and every key that looks like an id, as `*`: `$.items[3].x` is
    `$.items[*].x`."""
    if not place.startswith("body:") or place.startswith("body:line"):
        return place
    return _GENERAL.sub(_general, place)


_GENERAL = re.compile(r"\[\d+\]|\.([A-Za-z_][A-Za-z0-9_-]*)|\['((?:[^'\\]|\\.)*)'\]")


def _general(found: re.Match[str]) -> str:
    key = found[1] or found[2]
    if key is None:
        return "[*]"
    return ".*" if _ID_KEY.fullmatch(key) else found[0]


class Expression(NamedTuple):
    """A compiled place expression: of the `status`, of a `header` (a glob in `name`), or of the `body`."""

    text: str
    part: str
    name: str = ""
    tests: Steps = ()

    def covers(self, path: Path) -> bool:
        """Whether the path, or something it lies in, is meant."""
        return self._walk(path, whole=True)

    def touches(self, path: Path) -> bool:
        """Whether the path is meant, lies in what is meant, or holds it."""
        return self._walk(path, whole=False)

    def is_at(self, path: Path) -> bool:
        """Whether exactly this path is meant."""
        states = {0}
        for step in path:
            states = self._advance(states, step, is_tree=isinstance(path[0], Tag))
        return len(self.tests) in states

    def goes_through(self, path: Path) -> bool:
        """Whether something that is meant may lie in the path."""
        states = {0}
        for step in path:
            states = self._advance(states, step, is_tree=isinstance(path[0], Tag))
        return bool(states - {len(self.tests)})

    def _walk(self, path: Path, *, whole: bool) -> bool:
        states = {0}
        for step in path:
            if len(self.tests) in states:
                return True
            states = self._advance(states, step, is_tree=isinstance(path[0], Tag))
        return len(self.tests) in states or (not whole and bool(states))

    def _advance(self, states: set[int], step: Step, *, is_tree: bool) -> set[int]:
        after: set[int] = set()
        for state in states:
            if state == len(self.tests):
                continue
            test = self.tests[state]
            if test.deep:
                after.add(state)
            if _meets(test, step, is_tree=is_tree):
                after.add(state + 1)
        return after


def _meets(test: PlaceStep, step: Step, *, is_tree: bool) -> bool:
    if isinstance(step, Tag):
        return test.name in (None, step.name) and test.number in (None, step.nth or 1)
    if isinstance(step, int):
        return test.leads_to(step)
    if isinstance(step, Whole):
        return test.name == step or (test.name == "line *" and step.startswith("line "))
    if is_tree and step.startswith("text()"):
        return step.startswith(f"{test.name}[{test.number}]" if test.number else str(test.name))
    if is_tree and step.startswith("@"):
        return test.name in ("@*", step)
    return test.leads_to(step)


def compile_place(text: str) -> Expression:
    """The expression of a place as a spec writes it. Raises PlaceError."""
    place = parse_place(text)
    return Expression(text, place.part, place.name.lower(), place.steps)


def header_matches(expression: Expression, name: str) -> bool:
    """Whether a header of this name (lower case) is meant."""
    return expression.part == "header" and fnmatchcase(name, expression.name)
