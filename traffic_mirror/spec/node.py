"""A document's values with the places they stand at."""

from __future__ import annotations

from typing import Any

type Value = dict[str, Node] | list[Node] | str | int | float | bool | None


class Node:
    """A mapping, list or scalar of a document, and where it stands.

    `origin` and `key_origin` are PyYAML's nodes, kept for their marks and their text as written. `key` is the
    key or index below `parent`, a root's the file. `secrets` are the values of environment variables in it,
    None where it has no variable. `bad`: a problem with it has been reported, and nothing is built of it.
    """

    __slots__ = ("bad", "key", "key_origin", "origin", "parent", "secrets", "value")

    def __init__(
        self,
        value: Value,
        origin: Any,
        parent: Node | None = None,
        key: str | int = "",
        key_origin: Any = None,
        secrets: tuple[str, ...] | None = None,
    ) -> None:
        self.value = value
        self.origin = origin
        self.parent = parent
        self.key = key
        self.key_origin = key_origin
        self.secrets = secrets
        self.bad = False

    @property
    def file(self) -> str:
        """The file it stands in."""
        node = self
        while node.parent is not None:
            node = node.parent
        return str(node.key)

    @property
    def line(self) -> int:
        """The line it starts in, from 1."""
        return int(self.origin.start_mark.line) + 1

    @property
    def column(self) -> int:
        """The column it starts in, from 1."""
        return int(self.origin.start_mark.column) + 1

    @property
    def key_position(self) -> tuple[int, int]:
        """Line and column of its key, or its own where it stands in a list."""
        mark = (self.key_origin or self.origin).start_mark
        return int(mark.line) + 1, int(mark.column) + 1

    @property
    def source(self) -> str:
        """A scalar as it is written, with environment variables by their names."""
        return str(self.origin.value)

    @property
    def from_environment(self) -> bool:
        """Whether an environment variable is in it."""
        return self.secrets is not None

    @property
    def text(self) -> str:
        """A scalar as text: a string's value, anything else as it is written."""
        return self.value if isinstance(self.value, str) else self.source
