"""Holders: what a value at a path is in, a list's element, an object, the content of an answer."""

from __future__ import annotations

from traffic_mirror.compare import names
from traffic_mirror.compare.places import Path, Tag, Whole

_LISTED_TAGS = frozenset({"li", "tr", "article", "option"})


def element_of(path: Path, body_kind: str) -> Path:
    """The innermost list element that a path leads into; empty where it leads into none."""
    for at in range(len(path) - 1, -1, -1):
        step = path[at]
        if isinstance(step, int):
            return path[: at + 1]
        if isinstance(step, Tag) and step.nth and (body_kind != "html" or step.name in _LISTED_TAGS):
            return path[: at + 1]
    return ()


def holder_of(path: Path) -> Path:
    """The object that holds what is at a path: in a tree that of the element, in a text its line."""
    last = path[-1] if path else None
    if isinstance(last, Whole):
        return path
    return path[:-2] if isinstance(last, str) and last.startswith("text()") else path[:-1]


def is_in_content(path: Path) -> bool:
    """Whether a path leads into what the answer is about."""
    keys = (step.name if isinstance(step, Tag) else step for step in path[:-1])
    return any(isinstance(key, str) and names.holds_content(names.words(key)) for key in keys)
