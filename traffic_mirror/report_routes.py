"""Routes as a report makes them up where results have none: parts of paths that name things are open."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_BESIDE = 100
"""Parts of a path at one place of one rule; where there are more, they are names of things, not of routes."""

Rule = tuple[str, str]
"""The names of an API and of a rule in it."""

_MAX_NODES = 20_000
_OPEN = "{}"
_ID = re.compile(r"(?=.*\d)(?:\d+|[0-9a-fA-F-]{8,}|[A-Za-z0-9_-]{16,})|.{40,}")


class _Node:
    """The parts of paths that follow one part; `names_things` where there were too many of them."""

    __slots__ = ("after", "names_things")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.names_things = False


class Routes:
    """What was seen of each rule's paths, bounded. `take` may still tell apart what `final` leaves open."""

    def __init__(self) -> None:
        self._roots: dict[tuple[Rule, str], _Node] = {}
        self._nodes = 0

    def take(self, rule: Rule, method: str, url: str) -> str:
        """The route of a request: `GET /users/{}`."""
        parts = [_OPEN if _ID.fullmatch(part) else part for part in _path(url).split("/")]
        node = self._roots.get((rule, method))
        if node is None:
            if len(self._roots) >= _MAX_NODES:
                return f"{method} /{_OPEN}"
            node = self._roots[rule, method] = _Node()
        for at, part in enumerate(parts):
            parts[at] = self._open(node, part)
            node = node.after[parts[at]]
        return f"{method} {'/'.join(parts)}"

    def final(self, rule: Rule, route: str) -> str:
        """The route that `take` gave, as it would be given now."""
        method, _, path = route.partition(" ")
        node: _Node | None = self._roots.get((rule, method))
        parts = path.split("/")
        for at in range(len(parts)):
            if node is None:
                break
            if node.names_things:
                parts[at] = _OPEN
            node = node.after.get(parts[at])
        return f"{method} {'/'.join(parts)}"

    def _open(self, node: _Node, part: str) -> str:
        """The part, made known; or the open one, where there are too many."""
        if node.names_things:
            return _OPEN
        if part in node.after:
            return part
        if len(node.after) >= MAX_BESIDE or self._nodes >= _MAX_NODES:
            node.after = {_OPEN: node.after.get(_OPEN) or _Node()}
            node.names_things = True
            return _OPEN
        self._nodes += 1
        node.after[part] = _Node()
        return part


def _path(url: str) -> str:
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return url.partition("?")[0]
