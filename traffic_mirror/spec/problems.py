"""What is wrong with a spec: every problem, each at its place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traffic_mirror.spec.node import Node

# After a scheme all before an @ that is no path, or that a colon begins: a password may hold a slash. Without
# one only what looks like user:password.
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]+://)(?:[^/:]*:.*|[^/]*)@|\A[\w.%+-]+:.*@", re.DOTALL)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_SHOWN_CHARACTERS = 60


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `line` and `column` count from 1; `path` is a JSONPath from the root."""

    file: str
    line: int
    column: int
    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: {self.path}"
        return f"{place}: found {self.found}, expected {self.expected}"


class SpecError(ValueError):
    """A spec is not valid. `problems` holds all that is wrong, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Gathers problems while a spec is read."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __len__(self) -> int:
        return len(self._problems)

    def at(self, node: Node, expected: str, found: str = "") -> None:
        """A problem with a node's value; `found` is the value itself where it is not given."""
        node.bad = True
        self._add(node, (node.line, node.column), path_of(node), found or show(node), expected)

    def at_key(self, node: Node, expected: str, found: str = "") -> None:
        """A problem with the key that a node stands under, or with its list item."""
        node.bad = True
        self._add(node, node.key_position, path_of(node), found or f"the key {quote(node.key)}", expected)

    def missing(self, node: Node, key: str, expected: str) -> None:
        """A problem with a key that a mapping lacks; what it has is still read."""
        self._add(node, (node.line, node.column), f"{path_of(node)}{_step(key)}", "nothing", expected)

    def in_file(self, file: str, found: str, expected: str, line: int = 1, column: int = 1) -> None:
        """A problem with a file as a whole, or with a place in it that is no node yet."""
        self._problems.append(
            Problem(file=file, line=line, column=column, path="$", found=found, expected=expected)
        )

    def refuse(self, files: Iterable[str]) -> None:
        """Raises SpecError when there is any problem; `files` gives the order."""
        if self._problems:
            order = {file: index for index, file in enumerate(files)}
            # What an alias repeats is one problem, at the one place where it is written.
            once: dict[tuple[object, ...], Problem] = {}
            for p in self._problems:
                once.setdefault((p.file, p.line, p.column, p.found, p.expected), p)
            raise SpecError(
                sorted(once.values(), key=lambda p: (order.get(p.file, len(order)), p.line, p.column, p.path))
            )

    def _add(self, node: Node, position: tuple[int, int], path: str, found: str, expected: str) -> None:
        line, column = position
        self._problems.append(
            Problem(file=node.file, line=line, column=column, path=path, found=found, expected=expected)
        )


def path_of(node: Node) -> str:
    """A node's JSONPath from its document's root."""
    steps = []
    while node.parent is not None:
        steps.append(_step(node.key))
        node = node.parent
    return "$" + "".join(reversed(steps))


def show(node: Node) -> str:
    """A node's value as the spec has it, shortened; never what the environment put there."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if _is_header_value(node):
        return "a value that is not shown"
    if isinstance(value, str) or node.from_environment:
        return quote(hide_user_info(node.source))
    return _shorten(node.source)


def quote(text: object) -> str:
    """Text in double quotes, on one line, shortened."""
    return json.dumps(_shorten(str(text)), ensure_ascii=False)


def hide_user_info(text: str) -> str:
    """Text without the user info of a URL in it, whatever is wrong with the URL.

    >>> hide_user_info("http://user:pass/word@host"), hide_user_info("user:password@host")
    ('http://***@host', '***@host')
    """
    return _USER_INFO.sub(lambda found: f"{found['scheme'] or ''}***@", text) if "@" in text else text


def _is_header_value(node: Node) -> bool:
    """Whether it is what a header is set to, which may be a credential."""
    mapping = node.parent
    if mapping is None or mapping.key != "headers" or not isinstance(mapping.value, dict):
        return False
    return mapping.parent is not None and mapping.parent.key != "match"


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _step(key: object) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    text = str(key)
    return f".{text}" if _PLAIN_KEY.match(text) else f"[{quote(text)}]"
