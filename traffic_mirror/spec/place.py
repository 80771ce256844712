"""Places in messages, as a spec writes them: the one grammar that comparing, redacting and checking share."""

from __future__ import annotations

import re
from typing import NamedTuple

_JSON_STEP = re.compile(
    r"""(?P<dots>\.\.?)(?P<name>\*|[^.\[\]'"*\s]+)
      | (?P<deep>\.\.)?\[
          (?: (?P<any>\*) | (?P<number>\d{1,9})
            | '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" )
        \]
    """,
    re.VERBOSE,
)
_TREE_STEP = re.compile(r"(?P<slashes>//?)(?P<name>@?(?:\*|[^/@\[\]\s]+))(?:\[(?:\*|(?P<number>\d{1,9}))\])?")
_HEADER = re.compile(r"header:(\S+)")
_WHOLE = re.compile(r"body(?::(bytes|line (?:\d{1,9}|\*)))?")


class PlaceStep(NamedTuple):
    """One step down. `deep`: at any depth. In JSON `name` is a key and `number` an index; in a tree `name` is
    an element, `@name` or `text()`, and `number` counts from 1. Where both are None, the step goes to all."""

    deep: bool
    name: str | None
    number: int | None = None

    def leads_to(self, key: str | int) -> bool:
        """Whether the step goes to a key of an object, or to an index of a list."""
        if self.name is None and self.number is None:
            return True
        return self.number == key if isinstance(key, int) else self.name == key


Steps = tuple[PlaceStep, ...]


class Place(NamedTuple):
    """A place: its `part` is `status`, `header` (`name` is a glob) or `body`; no steps mean all of a body."""

    part: str
    name: str = ""
    steps: Steps = ()


class PlaceError(ValueError):
    """What is written names no place; the message says what is wrong with it."""


def parse_place(text: str) -> Place:
    """A place in a response: `status`, `header:NAME` with `*` for any characters, `body`, and after `body:` a
    JSONPath (`$.items[*].id`), an XPath (`//item/@id`), `line 3`, `line *` or `bytes`. Raises PlaceError."""
    if text == "status":
        return Place("status")
    if header := _HEADER.fullmatch(text):
        return Place("header", header[1])
    if whole := _WHOLE.fullmatch(text):
        return Place("body", steps=(PlaceStep(False, whole[1]),) if whole[1] else ())
    part, _, path = text.partition(":")
    if part == "body" and path.startswith("/"):
        return Place("body", steps=_parse_tree_path(path))
    if part == "body" and path.startswith("$"):
        return Place("body", steps=parse_json_path(path))
    raise PlaceError("neither status, header:NAME nor body: with a JSONPath, an XPath, line N or bytes")


def parse_json_path(path: str) -> Steps:
    """The steps of a JSONPath such as `$.user.email`, `$..token` or `$['a b'][0]`. Raises PlaceError."""
    if not path.startswith("$"):
        raise PlaceError("it does not start with $")
    return tuple(
        _json_step(found) for found in _split(_JSON_STEP, path, 1, ".name, ..name, [*], [3] or ['name']")
    )


def _json_step(found: re.Match[str]) -> PlaceStep:
    if found["dots"]:
        return PlaceStep(found["dots"] == "..", None if found["name"] == "*" else found["name"])
    deep = bool(found["deep"])
    if found["any"]:
        return PlaceStep(deep, None)
    if found["number"]:
        return PlaceStep(deep, None, int(found["number"]))
    quoted = found["single"] if found["single"] is not None else found["double"]
    return PlaceStep(deep, re.sub(r"\\(.)", r"\1", quoted))


def _parse_tree_path(path: str) -> Steps:
    return tuple(
        PlaceStep(
            found["slashes"] == "//",
            None if found["name"] == "*" else found["name"],
            int(found["number"]) if found["number"] else None,
        )
        for found in _split(_TREE_STEP, path, 0, "/name, //name, /name[3], /@name or /text()")
    )


def _split(step: re.Pattern[str], path: str, at: int, expected: str) -> list[re.Match[str]]:
    steps = []
    while at < len(path):
        found = step.match(path, at)
        if found is None:
            raise PlaceError(f"no {expected} at character {at + 1} of {path[:40]}")
        steps.append(found)
        at = found.end()
    return steps
